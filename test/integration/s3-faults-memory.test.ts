import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { errorCodeOf, type OpenRequest } from '../support/http-client.ts';
import { startPostgres, type TestPostgres } from '../support/postgres.ts';
import { RunningThreads } from '../support/running-threads.ts';
import {
  ANSWER_TIMEOUT_MS,
  expectBlob,
  openS3FaultScene,
  type S3FaultScene,
} from '../support/s3-fault-scene.ts';
import type { PlannedFault } from '../support/s3-proxy.ts';
import { expectStatus, pushBlob, randomSample, startUpload } from '../support/sample-content.ts';
import { sql } from '../support/test-registry.ts';
import { waitUntil } from '../support/wait-until.ts';

const MIB = 1024 * 1024;
const REPOSITORY = 'faults/memory';
/** More than all memory holds. */
const SIZE_BYTES = 20 * MIB;
const TEST_TIMEOUT_MS = 600_000;
/** Longer than S3 is waited for. */
const STANDSTILL = { kind: 'delay-answer', ms: 600_000 } as const;
/** Two parts, and what appends hold beyond them. */
const LITTLE_MEMORY = { STORAGE_S3_PART_SIZE: '5', BUFFER_MEMORY_MIB: '16' };

let postgres: TestPostgres;
let scene: S3FaultScene;
const threads = new RunningThreads();

beforeAll(async () => {
  postgres = await startPostgres();
});

beforeEach(async () => {
  scene = await openS3FaultScene(postgres.url, { environment: LITTLE_MEMORY });
});

afterEach(() => scene?.close());

afterAll(() => postgres?.stop());

/** Appends that hold all memory, or wait for it. */
async function openAppends(standstill: PlannedFault, count: number, sizeBytes: number) {
  const appends: { path: string; append: OpenRequest }[] = [];
  for (let number = 0; number < count; number += 1) {
    const path = await startUpload(scene.api, REPOSITORY);
    const append = scene.api.open('PATCH', path, { 'Content-Length': String(sizeBytes) });
    void append.write(randomSample(sizeBytes).bytes).catch(() => undefined);
    append.end();
    appends.push({ path, append });
  }
  await waitUntil('the appends', async () => {
    return (await scene.registry.metric('pierone_active_appends')) === count;
  });
  await waitUntil('parts under way', () => standstill.count() >= 2);
  return appends;
}

/** More than all memory holds. */
async function expectMemoryToBeFree(): Promise<void> {
  const blobs = Array.from({ length: 4 }, () => randomSample(20 * MIB));
  await Promise.all(blobs.map((blob) => pushBlob(scene.api, REPOSITORY, blob)));
  for (const blob of blobs) await expectBlob(scene.api, REPOSITORY, blob);
  expect(await scene.registry.metric('pierone_active_appends')).toBe(0);
}

async function locks(): Promise<number> {
  const [row] = await sql<{ count: number }>(
    scene.databaseUrl,
    `select count(*)::int as count from pg_locks join pg_database d on d.oid = database
     where locktype = 'advisory' and d.datname = current_database()`,
  );
  return row?.count ?? 0;
}

test(
  'S3 that stands still: who holds memory and who waits for it gets 503, and all memory is free then',
  async () => {
    const standstill = scene.proxy.plan(STANDSTILL, { operation: 'UploadPart' });
    const appends = await openAppends(standstill, 6, SIZE_BYTES);
    const answers = Promise.all(appends.map(({ append }) => append.answer));
    const late = new Promise<never>((_, reject) => {
      setTimeout(() => reject(new Error('an answer came late')), ANSWER_TIMEOUT_MS).unref();
    });
    for (const answer of await Promise.race([answers, late])) {
      expect(answer.status).toBe(503);
      expect(errorCodeOf(answer)).toBe('UNAVAILABLE');
      expect(answer.headers['retry-after']).toMatch(/^\d+$/);
    }
    standstill.end();
    await expectMemoryToBeFree();
    await scene.end();
  },
  TEST_TIMEOUT_MS,
);

test(
  'a client that goes away while its append waits for memory leaves no lock behind',
  async () => {
    const standstill = scene.proxy.plan(STANDSTILL, { operation: 'UploadPart' });
    const appends = await openAppends(standstill, 4, SIZE_BYTES);
    const [holder, ...waiting] = appends;
    for (const { append } of waiting) append.cut();
    standstill.end();
    expect((await holder?.append.answer)?.status).toBe(202);
    await waitUntil('the end of the appends', async () => {
      return (await scene.registry.metric('pierone_active_appends')) === 0;
    });
    await waitUntil('the end of their locks', async () => (await locks()) === 0);
    for (const { path } of waiting) {
      await expectStatus(scene.api.send('PATCH', path, { body: 'hello' }), 202);
    }
    await expectMemoryToBeFree();
    await scene.end();
  },
  TEST_TIMEOUT_MS,
);

test(
  'workers that die with parts under way: 503, the upload goes on, and nothing is left',
  async () => {
    const standstill = scene.proxy.plan(STANDSTILL, { operation: 'UploadPart' });
    const appends = await openAppends(standstill, 4, SIZE_BYTES);
    await threads.end();
    standstill.end();
    const answers = await Promise.all(appends.map(({ append }) => append.answer));
    // Those that waited for memory begin in another worker.
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([202, 503]));
    await waitUntil('the end of their locks', async () => (await locks()) === 0);
    await expectMemoryToBeFree();
    const blob = randomSample(SIZE_BYTES);
    const lost = answers.findIndex(({ status }) => status === 503);
    const path = appends[lost]?.path ?? '';
    const headers = { 'Content-Range': `0-${blob.bytes.length - 1}` };
    await expectStatus(scene.api.send('PATCH', path, { headers, body: blob.bytes }), 202);
    await expectStatus(scene.api.send('PUT', `${path}?digest=${blob.digest}`), 201);
    await scene.end();
  },
  TEST_TIMEOUT_MS,
);
