import { readFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { sendHeadSlowly } from './head-sender.ts';
import type { HeadReport, SlowClientsPlan, SlowClientsReport, TransferReport } from './plan.ts';
import { readSlowly } from './slow-reader.ts';
import { uploadSlowly } from './slow-uploader.ts';

/*
 * Many slow clients in one process of their own, so that neither a test nor the server is slowed down by them.
 * Argument: a SlowClientsPlan. Prints a SlowClientsReport.
 */

const UPLOAD_BYTES = 1024 * 1024;
/** Where one upload's bytes begin after those of the one before: no two are the same. */
const UPLOAD_SHIFT_BYTES = 64 * 1024;
/** They don't all come at once. */
const ARRIVAL_MS = 1000;

async function main(plan: SlowClientsPlan): Promise<SlowClientsReport> {
  const content = await readFile(plan.contentFile);
  const [readers, uploaders, heads] = await Promise.all([
    startAll(plan.readers, () => read(plan, content)),
    startAll(plan.uploaders, (n) => {
      const begin = n * UPLOAD_SHIFT_BYTES;
      return upload(plan, content.subarray(begin, begin + UPLOAD_BYTES));
    }),
    startAll(plan.headSenders, () => sendHeads(plan)),
  ]);
  return { readers, uploaders, heads: heads.flat() };
}

function startAll<T>(count: number, start: (n: number) => Promise<T>): Promise<T[]> {
  return Promise.all(
    Array.from({ length: count }, async (_, n) => {
      await delay((ARRIVAL_MS * n) / count);
      return start(n);
    }),
  );
}

function read(plan: SlowClientsPlan, content: Buffer): Promise<TransferReport> {
  return readSlowly({
    port: Number(new URL(plan.url).port),
    target: `/v2/${plan.repository}/blobs/${plan.digest}`,
    content,
    bytesPerSecond: plan.readBytesPerSecond,
    seconds: plan.seconds,
  });
}

function upload(plan: SlowClientsPlan, content: Buffer): Promise<TransferReport> {
  return uploadSlowly({
    url: plan.url,
    repository: plan.repository,
    content,
    bytesPerSecond: plan.sendBytesPerSecond,
    seconds: plan.seconds,
  });
}

/** Comes back after each cut, until the time is over; the last connection waits for its cut too. */
async function sendHeads(plan: SlowClientsPlan): Promise<HeadReport[]> {
  const port = Number(new URL(plan.url).port);
  const end = Date.now() + plan.seconds * 1000;
  const reports: HeadReport[] = [];
  while (Date.now() < end) reports.push(await sendHeadSlowly(port));
  return reports;
}

const plan: SlowClientsPlan = JSON.parse(process.argv[2] ?? '');
console.log(JSON.stringify(await main(plan)));
