import { afterAll, beforeAll, expect, test } from 'vitest';
import { openIngestPool } from '../../src/workers/ingest-pool.ts';
import { errorCodeOf, HttpClient } from '../support/http-client.ts';
import {
  digestOf,
  expectStatus,
  pushBlob,
  randomSample,
  type Sample,
  startUpload,
} from '../support/sample-content.ts';
import { type ServerProcess, startServer } from '../support/server.ts';
import { openFixture, type RegistryFixture, startRegistry } from '../support/test-registry.ts';
import { waitUntil } from '../support/wait-until.ts';

const MIB = 1024 * 1024;
const REREAD = 'pierone_reread_bytes_total';

let fixture: RegistryFixture;
let api: HttpClient;
let processes: ServerProcess[];
/** Two processes on the database and the directory of the fixture. */
let a: HttpClient;
let b: HttpClient;

beforeAll(async () => {
  fixture = await openFixture();
  api = fixture.registry.api;
  const environment = {
    DATABASE_URL: fixture.database.url,
    STORAGE_DIRECTORY: fixture.storage.path,
  };
  const [first, second] = await Promise.all([startServer(environment), startServer(environment)]);
  processes = [first, second];
  a = new HttpClient(first.url);
  b = new HttpClient(second.url);
});

afterAll(async () => {
  await Promise.all((processes ?? []).map((process) => process.stop()));
  await fixture?.close();
});

/** The bytes that the upload has, as its status tells. */
async function offsetOf(client: HttpClient, path: string): Promise<number> {
  const { headers } = await expectStatus(client.send('GET', path), 204);
  const last = Number(/^0-(\d+)$/.exec(headers['range'] ?? '')?.[1]);
  return last === 0 ? 0 : last + 1;
}

/** On a busy machine the news that a client is gone may take longer than a status waits for it: it shows no byte yet then. */
async function untilOffset(client: HttpClient, path: string, wanted: number): Promise<void> {
  const offset = await waitUntil('what was kept', async () => {
    return (await offsetOf(client, path)) || undefined;
  });
  expect(offset).toBe(wanted);
}

async function finish(client: HttpClient, path: string, digest: string) {
  return (await client.send('PUT', `${path}?digest=${digest}`)).status;
}

async function expectBlob(client: HttpClient, repository: string, { digest, bytes }: Sample) {
  const { status, body } = await client.send('GET', `/v2/${repository}/blobs/${digest}`);
  expect(status).toBe(200);
  expect(body.equals(bytes)).toBe(true);
}

/** An append that has begun: the server stores what comes. */
async function beginAppend(client: HttpClient, path: string, bytes: Buffer, active: Active) {
  const before = await active();
  const append = client.open('PATCH', path);
  await append.write(bytes);
  await waitUntil('the append to begin', async () => (await active()) > before);
  return append;
}

type Active = () => Promise<number>;

/** Appends that are under way in the registry of this process, or in process A. */
const activeHere: Active = () => fixture.registry.metric('pierone_active_appends');
const activeAtA: Active = async () => (await processes[0]?.metric('pierone_active_appends')) ?? 0;

test.each([
  ['one process', () => ({ first: api, second: api, active: activeHere })],
  ['two processes', () => ({ first: a, second: b, active: activeAtA })],
])('%s: a second append beside a living one is refused, and nothing is mixed', async (_, pick) => {
  const { first, second, active } = pick();
  const blob = randomSample(3 * MIB);
  const path = await startUpload(first, 'uploads/beside');
  const append = await beginAppend(first, path, blob.bytes.subarray(0, MIB), active);
  const others = await Promise.all([
    second.send('PATCH', path, { body: 'other bytes' }),
    second.send('PUT', `${path}?digest=${blob.digest}`, { body: 'other bytes' }),
    second.send('DELETE', path),
  ]);
  for (const other of others) {
    expect(other.status).toBe(409);
    expect(errorCodeOf(other)).toBe('BLOB_UPLOAD_INVALID');
  }
  append.end(blob.bytes.subarray(MIB));
  expect(await append.answer).toMatchObject({
    status: 202,
    headers: { range: `0-${3 * MIB - 1}` },
  });
  expect(await finish(second, path, blob.digest)).toBe(201);
  await expectBlob(second, 'uploads/beside', blob);
});

test.each([
  ['at the same process', () => ({ first: api, second: api, active: activeHere })],
  ['at another process', () => ({ first: a, second: b, active: activeAtA })],
])('after a cut the status %s shows all that was kept', async (_, pick) => {
  const { first, second, active } = pick();
  for (let round = 0; round < 10; round += 1) {
    const blob = randomSample(2 * MIB + 17);
    const sent = blob.bytes.subarray(0, MIB + 5 + round);
    const path = await startUpload(first, 'uploads/cut');
    const append = await beginAppend(first, path, sent, active);
    append.cut();
    await untilOffset(second, path, sent.length);
    const rest = blob.bytes.subarray(sent.length);
    await expectStatus(second.send('PATCH', path, { body: rest }), 202);
    expect(await finish(first, path, blob.digest)).toBe(201);
    await expectBlob(second, 'uploads/cut', blob);
  }
});

test.each([
  ['at the same process', () => ({ first: api, second: api, active: activeHere })],
  ['at another process', () => ({ first: a, second: b, active: activeAtA })],
])('an append %s waits for one whose client was cut, and goes on after it', async (_, pick) => {
  const { first, second, active } = pick();
  const blob = randomSample(2 * MIB);
  const sent = blob.bytes.subarray(0, MIB + 1);
  const path = await startUpload(first, 'uploads/after-cut');
  const append = await beginAppend(first, path, sent, active);
  append.cut();
  const rest = blob.bytes.subarray(sent.length);
  const headers = { 'Content-Range': `${sent.length}-${blob.bytes.length - 1}` };
  await waitUntil('its turn', async () => {
    const { status } = await second.send('PATCH', path, { headers, body: rest });
    // The news that the client is gone may take longer than the server waits for it.
    if (status !== 202) expect(status).toBe(409);
    return status === 202;
  });
  expect(await finish(second, path, blob.digest)).toBe(201);
  await expectBlob(first, 'uploads/after-cut', blob);
});

test('a chunk that is cut is kept as far as it came', async () => {
  const blob = randomSample(MIB);
  const path = await startUpload(api, 'uploads/cut-chunk');
  const before = await activeHere();
  const append = api.open('PATCH', path, {
    'Content-Length': String(MIB),
    'Content-Range': `0-${MIB - 1}`,
  });
  await append.write(blob.bytes.subarray(0, 1000));
  await waitUntil('the append to begin', async () => (await activeHere()) > before);
  append.cut();
  await untilOffset(api, path, 1000);
  const headers = { 'Content-Range': `1000-${MIB - 1}` };
  const body = blob.bytes.subarray(1000);
  await expectStatus(api.send('PATCH', path, { headers, body }), 202);
  expect(await finish(api, path, blob.digest)).toBe(201);
});

test('ten chunks, alternating between two processes, are not read again', async () => {
  const before = await rereadByProcesses();
  for (const algorithm of ['sha256', 'sha512'] as const) {
    const { bytes } = randomSample(10 * 70_001);
    const started = await a.send(
      'POST',
      `/v2/uploads/chunks/blobs/uploads/?digest-algorithm=${algorithm}`,
    );
    const path = started.headers['location'] ?? '';
    for (let n = 0; n < 10; n += 1) {
      const body = bytes.subarray(n * 70_001, (n + 1) * 70_001);
      const headers = { 'Content-Range': `${n * 70_001}-${(n + 1) * 70_001 - 1}` };
      await expectStatus((n % 2 ? b : a).send('PATCH', path, { headers, body }), 202);
    }
    const digest = digestOf(bytes, algorithm);
    expect(await finish(b, path, digest)).toBe(201);
    await expectBlob(a, 'uploads/chunks', { bytes, digest });
  }
  expect(await rereadByProcesses()).toEqual(before);
});

function rereadByProcesses(): Promise<number[]> {
  return Promise.all(processes.map((process) => process.metric(REREAD)));
}

/** @returns the bytes that closing the upload read again. */
async function rereadWhile(work: () => Promise<void>): Promise<number> {
  const before = await fixture.registry.metric(REREAD);
  await work();
  return (await fixture.registry.metric(REREAD)) - before;
}

test.each([
  ['one streamed PATCH, then PUT', [2 * MIB], false, 'sha256', 0],
  ['five streamed PATCHes, then PUT', Array(5).fill(300_001), false, 'sha256', 5 * 300_001],
  ['chunks, then PUT', [300_001, 1], true, 'sha256', 0],
  ['a streamed PATCH, then PUT with sha512', [300_001], false, 'sha512', 300_001],
  ['chunks, then PUT with sha512', [300_001, 5], true, 'sha512', 300_006],
] as const)(
  '%s: read again is what no saved digest covers',
  async (...[, sizes, isChunk, name, wanted]) => {
    const { bytes } = randomSample(sizes.reduce((sum, size) => sum + size, 0));
    const digest = digestOf(bytes, name);
    const reread = await rereadWhile(async () => {
      const path = await startUpload(api, 'uploads/reread');
      let from = 0;
      for (const size of sizes) {
        const headers = { 'Content-Range': `${from}-${from + size - 1}` };
        const body = bytes.subarray(from, from + size);
        await expectStatus(
          api.send('PATCH', path, isChunk ? { headers, body } : { body, isChunked: true }),
          202,
        );
        from += size;
      }
      expect(await finish(api, path, digest)).toBe(201);
    });
    expect(reread).toBe(wanted);
    await expectBlob(api, 'uploads/reread', { bytes, digest });
  },
);

test('a whole blob in one PUT, with the digest that the PUT names, is not read again', async () => {
  const { bytes } = randomSample(300_001);
  for (const algorithm of ['sha256', 'sha512'] as const) {
    const digest = digestOf(bytes, algorithm);
    const reread = await rereadWhile(async () => {
      const path = `${await startUpload(api, 'uploads/put')}?digest=${digest}`;
      await expectStatus(api.send('PUT', path, { body: bytes }), 201);
    });
    expect(reread).toBe(0);
  }
});

/** A registry that closes a segment every 1 MiB. */
async function withSmallSegments(work: (client: HttpClient) => Promise<void>): Promise<void> {
  const registry = await startRegistry({
    databaseUrl: fixture.database.url,
    directory: fixture.storage.path,
    overrides: { openIngest: (options) => openIngestPool({ ...options, segmentBytes: MIB }) },
  });
  try {
    await work(registry.api);
  } finally {
    await registry.close();
  }
}

test('a blob of several segments reads back whole, and by ranges over the seams', async () => {
  await withSmallSegments(async (client) => {
    const blob = randomSample(3 * MIB + 12_345);
    const before = await fixture.storage.keys();
    await pushBlob(client, 'uploads/segments', blob);
    const added = (await fixture.storage.keys()).filter((key) => !before.includes(key));
    expect(added).toHaveLength(4);
    await expectBlob(client, 'uploads/segments', blob);
    const path = `/v2/uploads/segments/blobs/${blob.digest}`;
    for (const [first, last] of [
      [MIB - 1, MIB],
      [MIB, MIB],
      [MIB - 10, 3 * MIB + 10],
      [2 * MIB, 3 * MIB - 1],
      [3 * MIB + 12_344, 3 * MIB + 12_344],
    ] as const) {
      const { status, body } = await client.send('GET', path, {
        headers: { Range: `bytes=${first}-${last}` },
      });
      expect(status).toBe(206);
      expect(body.equals(blob.bytes.subarray(first, last + 1)), `${first}-${last}`).toBe(true);
    }
  });
});

test('a chunk that is longer than it said is refused as soon as that shows, also when it is cut', async () => {
  await withSmallSegments(async (client) => {
    const path = await startUpload(client, 'uploads/too-long');
    const append = client.open('PATCH', path, { 'Content-Range': '0-9' });
    await append.write(randomSample(2 * MIB).bytes);
    const answer = await append.answer;
    expect(answer.status).toBe(400);
    expect(errorCodeOf(answer)).toBe('SIZE_INVALID');
    append.cut();
    expect(await offsetOf(client, path)).toBe(0);
  });
});

test('a chunk of several segments and the wrong length leaves nothing', async () => {
  await withSmallSegments(async (client) => {
    const path = await startUpload(client, 'uploads/wrong-length');
    const headers = { 'Content-Range': `0-${3 * MIB}` };
    const body = randomSample(3 * MIB).bytes;
    const answer = await client.send('PATCH', path, { headers, body, isChunked: true });
    expect(answer.status).toBe(400);
    expect(errorCodeOf(answer)).toBe('SIZE_INVALID');
    expect(await offsetOf(client, path)).toBe(0);
  });
});
