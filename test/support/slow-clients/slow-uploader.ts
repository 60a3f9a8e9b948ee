import { setTimeout as delay } from 'node:timers/promises';
import { HttpClient } from '../http-client.ts';
import { expectStatus, sampleOf, startUpload } from '../sample-content.ts';
import type { TransferReport } from './plan.ts';

export interface SlowUploading {
  readonly url: string;
  readonly repository: string;
  readonly content: Buffer;
  readonly bytesPerSecond: number;
  readonly seconds: number;
}

/** PATCHes `content` slowly, then the rest of it at full speed; closes the upload and reads the blob. Never rejects. */
export async function uploadSlowly(uploading: SlowUploading): Promise<TransferReport> {
  const progress = { slowBytes: 0, verifiedBytes: 0 };
  try {
    await upload(uploading, progress);
    return { failure: undefined, ...progress };
  } catch (error) {
    return { failure: `${String(error)} (${progress.slowBytes} bytes sent slowly)`, ...progress };
  }
}

async function upload(
  { url, repository, content, bytesPerSecond, seconds }: SlowUploading,
  progress: { slowBytes: number; verifiedBytes: number },
): Promise<void> {
  const api = new HttpClient(url);
  const location = await startUpload(api, repository);
  const patch = api.open('PATCH', location, { 'Transfer-Encoding': 'chunked' });
  const early = patch.answer.then(({ status }) => {
    throw new Error(`answered with ${status} before the body's end`);
  });
  early.catch(() => undefined);
  for (let second = 0; second < seconds; second += 1) {
    const { slowBytes } = progress;
    await patch.write(content.subarray(slowBytes, slowBytes + bytesPerSecond));
    progress.slowBytes += bytesPerSecond;
    await Promise.race([delay(1000), early]);
  }
  patch.end(content.subarray(progress.slowBytes));
  await expectStatus(patch.answer, 202);
  const { digest } = sampleOf(content);
  await expectStatus(api.send('PUT', `${location}?digest=${digest}`), 201);
  const blob = await expectStatus(api.send('GET', `/v2/${repository}/blobs/${digest}`), 200);
  if (!blob.body.equals(content)) throw new Error('the blob has other bytes');
  progress.verifiedBytes = content.length;
}
