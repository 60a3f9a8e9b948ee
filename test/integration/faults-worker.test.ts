import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { openIngestPool } from '../../src/workers/ingest-pool.ts';
import { errorCodeOf, type HttpClient } from '../support/http-client.ts';
import { makeFolder, startPostgres, type TestPostgres } from '../support/postgres.ts';
import { RunningThreads } from '../support/running-threads.ts';
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
const threads = new RunningThreads();
/** What the threads run here. */
let entry: URL;
/** While there is such a file they die at their start. */
let deadly: string;
let folder: string;

beforeAll(async () => {
  postgres = await startPostgres();
  folder = await makeFolder();
  deadly = join(folder, 'deadly');
  const file = join(folder, 'entry.mjs');
  entry = pathToFileURL(file);
  const worker = new URL('../../dist/workers/ingest-worker.js', import.meta.url);
  await writeFile(
    file,
    `import { existsSync } from 'node:fs';
    export * from ${JSON.stringify(worker.href)};
    if (existsSync(${JSON.stringify(deadly)})) process.exit(1);`,
  );
});

beforeEach(async () => {
  databaseUrl = await createDatabase(postgres.url);
  storage = await makeStorage();
  registry = await startRegistry({
    databaseUrl,
    directory: storage.path,
    environment: { SHUTDOWN_TIMEOUT: '1' },
    overrides: {
      openIngest: (options) => openIngestPool({ ...options, entry, segmentBytes: MIB }),
    },
  });
  api = registry.api;
  await threads.loaded();
});

afterEach(async () => {
  await registry?.close();
  await storage?.remove();
});

afterAll(async () => {
  await postgres?.stop();
  await rm(folder, { recursive: true, force: true });
});

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
  await threads.end();
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
    await threads.end();
    const blob = randomSample(MIB);
    await pushBlob(api, 'faults/replaced', blob);
    const { body } = await api.send('GET', `/v2/faults/replaced/blobs/${blob.digest}`);
    expect(body.equals(blob.bytes)).toBe(true);
  }
});

test('while workers die at their start appends are 503, and none waits for ever', async () => {
  await writeFile(deadly, '');
  try {
    await threads.end();
    for (let round = 0; round < 3; round += 1) {
      const { bytes, digest } = randomSample(1000);
      const path = `/v2/faults/start/blobs/uploads/?digest=${digest}`;
      const answer = await api.send('POST', path, { body: bytes });
      expect(answer.status).toBe(503);
      expect(errorCodeOf(answer)).toBe('UNAVAILABLE');
    }
  } finally {
    await rm(deadly);
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
  await threads.end();
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
  await threads.end();
  expect([201, 503]).toContain((await answer).status);
  await expectStatus(api.send('PUT', `${path}?digest=${digest}`), 201);
});
