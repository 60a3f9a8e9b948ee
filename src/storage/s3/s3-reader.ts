import { Readable } from 'node:stream';
import { GetObjectCommand, HeadObjectCommand, S3ServiceException } from '@aws-sdk/client-s3';
import { ObjectNotFound, StoreUnavailable } from '../blob-store.ts';
import { PIECE_BYTES } from '../read-buffers.ts';
import { readAhead } from './read-ahead.ts';
import type { S3Bucket } from './s3-bucket.ts';
import { call, translate } from './s3-call.ts';
import { RangeBody } from './s3-range-body.ts';
import type { ObjectRange } from './s3-socket-reader.ts';

/** So often a stream may break without a byte in between. */
const MAX_BREAKS = 3;

/** The bytes of a range, as fast as they are asked for: over several connections where one is slower than its reader. */
export function readS3Range(
  bucket: S3Bucket,
  key: string,
  start: number,
  end: number,
): AsyncGenerator<Uint8Array, void, undefined> {
  const { rate } = bucket;
  const read = (from: number, to: number, signal?: AbortSignal) =>
    readStream(bucket, key, { start: from, end: to }, signal);
  if (!rate.wantsMore || end - start <= PIECE_BYTES) return read(start, end);
  return readAhead(read, { start, end }, () => rate.wantsMore);
}

/**
 * The bytes of a range over one connection. A stream that breaks goes on where it stood, until S3 has sent nothing for
 * as long as a call may take, or until the signal is aborted.
 */
async function* readStream(
  bucket: S3Bucket,
  key: string,
  { start, end }: ObjectRange,
  signal?: AbortSignal,
): AsyncGenerator<Uint8Array, void, undefined> {
  if (start >= end) return requireObject(bucket, key);
  const meter = bucket.rate.measure();
  let position = start;
  let breaks = 0;
  let endMs = Date.now() + bucket.timeouts.callMs;
  try {
    while (position < end) {
      const body = await openRange(bucket, key, { start: position, end }, { endMs, signal });
      const giveUp = () => body.destroy(new Error('no byte came in time'));
      const firstByte = setTimeout(giveUp, endMs - Date.now());
      signal?.addEventListener('abort', giveUp);
      if (signal?.aborted) giveUp();
      meter.begin();
      try {
        for await (const chunk of body) {
          clearTimeout(firstByte);
          if (!(chunk instanceof Uint8Array)) throw new TypeError('S3 sent what is no bytes');
          meter.came(chunk.length);
          position += chunk.length;
          breaks = 0;
          yield chunk;
          endMs = Date.now() + bucket.timeouts.callMs;
          meter.asked();
        }
        if (position < end) throw new Error('the answer ended early');
      } catch (error) {
        signal?.throwIfAborted();
        breaks += 1;
        const isOver = breaks > MAX_BREAKS || Date.now() >= endMs;
        if (isOver) throw translate('send an object', error);
      } finally {
        clearTimeout(firstByte);
        signal?.removeEventListener('abort', giveUp);
        body.destroy();
      }
    }
  } finally {
    meter.end();
  }
}

/** The bytes of an answer, in pieces. */
interface RangeStream extends AsyncIterable<unknown> {
  destroy(error?: Error): unknown;
}

async function openRange(
  bucket: S3Bucket,
  key: string,
  range: ObjectRange,
  { endMs, signal }: { readonly endMs: number; readonly signal: AbortSignal | undefined },
): Promise<RangeStream> {
  const { client, timeouts } = bucket;
  const { start, end } = range;
  const object = bucket.object(key);
  let { socketReader } = bucket;
  const ask = async (abortSignal: AbortSignal) => {
    const body = await socketReader?.open(object, range, abortSignal);
    if (body) return body;
    // What S3 has against it, the SDK knows how to read.
    socketReader = undefined;
    const command = new GetObjectCommand({ ...object, Range: `bytes=${start}-${end - 1}` });
    return client.send(command, { abortSignal });
  };
  const options = { signal, timeouts: { ...timeouts, callMs: endMs - Date.now() } };
  const answer = await call('send an object', ask, options).catch((error: unknown) => {
    throw error instanceof ObjectNotFound
      ? new ObjectNotFound(key, { cause: error.cause })
      : tooShort(error);
  });
  if (answer instanceof RangeBody) return answer;
  const { Body: body, ContentRange } = answer;
  if (!(body instanceof Readable)) throw new StoreUnavailable('S3 sent an object without a body');
  if (!ContentRange?.startsWith(`bytes ${start}-${end - 1}/`)) {
    body.destroy();
    throw new StoreUnavailable(`the object ${key} is shorter than ${end} bytes`);
  }
  return body;
}

/** A range that begins behind the end is an error of its own. */
function tooShort(error: unknown): unknown {
  const cause = error instanceof Error ? error.cause : undefined;
  return cause instanceof S3ServiceException && cause.name === 'InvalidRange'
    ? new StoreUnavailable('the object is shorter than it should be', { cause })
    : error;
}

async function requireObject(bucket: S3Bucket, key: string): Promise<void> {
  const { client, timeouts } = bucket;
  const command = new HeadObjectCommand(bucket.object(key));
  await call('find an object', (abortSignal) => client.send(command, { abortSignal }), {
    timeouts,
  }).catch((error: unknown) => {
    throw error instanceof ObjectNotFound ? new ObjectNotFound(key, { cause: error.cause }) : error;
  });
}
