import type { Worker } from 'node:worker_threads';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { openIngestPool } from '../../src/workers/ingest-pool.ts';
import { errorCodeOf, type HttpClient } from '../support/http-client.ts';
import { startPostgres, type TestPostgres } from '../support/postgres.ts';
import {
  digestOf,
  expectStatus,
  pushBlob,
  randomSample,
  startUpload,
} from '../support/sample-content.ts';
import {
  createDatabase,
  makeStorage,
  type StorageDirectory,
  sql,
  startRegistry,
  type TestRegistry,
} from '../support/test-registry.ts';
import { waitUntil } from '../support/wait-until.ts';

const MIB = 1024 * 1024;

let postgres: TestPostgres;
let databaseUrl: string;
let storage: StorageDirectory;
let registry: TestRegistry;
let api: HttpClient;
/** The worker threads that are running. */
const workers = new Set<Worker>();

process.on('worker', (worker) => {
  workers.add(worker);
  worker.once('exit', () => workers.delete(worker));
});

beforeAll(async () => {
  postgres = await startPostgres();
});

beforeEach(async () => {
  databaseUrl = await createDatabase(postgres.url);
  storage = await makeStorage();
  registry = await startRegistry({
    databaseUrl,
    directory: storage.path,
    environment: { SHUTDOWN_TIMEOUT: '1' },
    overrides: { openIngest: (options) => openIngestPool({ ...options, segmentBytes: MIB }) },
  });
  api = registry.api;
  await waitUntil('workers that have started', async () => {
    const { status } = await registry.management.send('GET', '/health/ready');
    return workers.size > 0 && status === 200;
  });
});

afterEach(async () => {
  await registry?.close();
  await storage?.remove();
});

afterAll(() => postgres?.stop());

async function killWorkers(): Promise<void> {
  const running = [...workers];
  expect(running).not.toEqual([]);
  await Promise.all(running.map((worker) => worker.terminate()));
}

async function committedBytes(path: string): Promise<number> {
  const id = path.slice(path.lastIndexOf('/') + 1);
  const rows = await sql<{ bytes: number }>(
    databaseUrl,
    'select offset_bytes::float8 as bytes from uploads where id = $1',
    [id],
  );
  return rows[0]?.bytes ?? 0;
}

test('a worker that dies in mid-append: 503, committed bytes stay, and the upload goes on', async () => {
  const blob = randomSample(4 * MIB);
  const path = await startUpload(api, 'faults/worker');
  const append = api.open('PATCH', path);
  await append.write(blob.bytes.subarray(0, 2 * MIB + 1000));
  await waitUntil('two segments', async () => (await committedBytes(path)) === 2 * MIB);
  await killWorkers();
  const answer = await append.answer;
  expect(answer.status).toBe(503);
  expect(errorCodeOf(answer)).toBe('UNAVAILABLE');
  expect(answer.headers['retry-after']).toMatch(/^\d+$/);
  append.cut();
  expect(await registry.metric('pierone_worker_deaths_total')).toBeGreaterThan(0);

  const status = await expectStatus(api.send('GET', path), 204);
  expect(status.headers['range']).toBe(`0-${2 * MIB - 1}`);
  const rest = { 'Content-Range': `${2 * MIB}-${4 * MIB - 1}` };
  const body = blob.bytes.subarray(2 * MIB);
  await expectStatus(api.send('PATCH', path, { headers: rest, body }), 202);
  await expectStatus(api.send('PUT', `${path}?digest=${blob.digest}`), 201);
  const { body: served } = await api.send('GET', `/v2/faults/worker/blobs/${blob.digest}`);
  expect(served.equals(blob.bytes)).toBe(true);
});

test('dead workers are replaced, also when they had nothing to do', async () => {
  for (let round = 0; round < 3; round += 1) {
    await killWorkers();
    const blob = randomSample(MIB);
    await pushBlob(api, 'faults/replaced', blob);
    const { body } = await api.send('GET', `/v2/faults/replaced/blobs/${blob.digest}`);
    expect(body.equals(blob.bytes)).toBe(true);
  }
});

test('while workers die at their start appends are 503, and none waits for ever', async () => {
  const kill = (worker: Worker) => void worker.terminate();
  process.on('worker', kill);
  try {
    await killWorkers();
    for (let round = 0; round < 3; round += 1) {
      const { bytes, digest } = randomSample(1000);
      const path = `/v2/faults/start/blobs/uploads/?digest=${digest}`;
      const answer = await api.send('POST', path, { body: bytes });
      expect(answer.status).toBe(503);
      expect(errorCodeOf(answer)).toBe('UNAVAILABLE');
    }
  } finally {
    process.off('worker', kill);
  }
  await pushBlob(api, 'faults/start', randomSample(1000));
});

test('appends under way when workers die all end in 503, and buffers are free for the next', async () => {
  const appends = await Promise.all(
    Array.from({ length: 20 }, async () => {
      const append = api.open('PATCH', await startUpload(api, 'faults/many'));
      // More than a buffer: less of a body would not be with a worker yet.
      await append.write(randomSample(1.5 * MIB).bytes);
      return append;
    }),
  );
  await waitUntil('the appends to begin', async () => {
    return (await registry.metric('pierone_active_appends')) === 20;
  });
  await killWorkers();
  for (const append of appends) {
    expect((await append.answer).status).toBe(503);
    append.cut();
  }
  expect(await registry.metric('pierone_active_appends')).toBe(0);
  // More than all buffers hold.
  const blob = randomSample(70 * MIB);
  await pushBlob(api, 'faults/many', blob);
});

test('a worker that dies while stored bytes are read again: 503, and the closing PUT can be repeated', async () => {
  const blob = randomSample(8 * MIB);
  const digest = digestOf(blob.bytes, 'sha512');
  const path = await startUpload(api, 'faults/reread');
  await expectStatus(api.send('PATCH', path, { body: blob.bytes }), 202);
  const answer = api.send('PUT', `${path}?digest=${digest}`);
  // Whether the reading has begun or not: the PUT ends either way, and never with a wrong answer.
  await killWorkers();
  expect([201, 503]).toContain((await answer).status);
  await expectStatus(api.send('PUT', `${path}?digest=${digest}`), 201);
});
