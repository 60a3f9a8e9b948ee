import { mkdir, utimes, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import type { HttpClient } from '../support/http-client.ts';
import { startPostgres, type TestPostgres } from '../support/postgres.ts';
import {
  expectStatus,
  pushBlob,
  randomSample,
  type Sample,
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

const DAY_AND_MORE_MS = 25 * 3_600_000;
/** Old enough that no append that is running can have written it. */
const STRAY_AGE_MS = 600_000;
const AT_ONCE = { SWEEP_INTERVAL: '1', SWEEP_GRACE_HOURS: '0' };
const AFTER_A_DAY = { SWEEP_INTERVAL: '1' };

let postgres: TestPostgres;
let databaseUrl: string;
let storage: StorageDirectory;
let log: string[];
let registries: TestRegistry[];

beforeAll(async () => {
  postgres = await startPostgres();
});

beforeEach(async () => {
  databaseUrl = await createDatabase(postgres.url);
  storage = await makeStorage();
  log = [];
  registries = [];
});

afterEach(async () => {
  for (const registry of registries) await registry.close();
  await storage?.remove();
});

afterAll(() => postgres?.stop());

async function start(environment: Readonly<Record<string, string>>): Promise<HttpClient> {
  const registry = await startRegistry({
    databaseUrl,
    directory: storage.path,
    environment,
    onLogLine: (line) => log.push(line),
  });
  registries.push(registry);
  return registry.api;
}

/** An object that no row names. */
async function addStray(name: string, ageMs = STRAY_AGE_MS): Promise<string> {
  const key = `segments/${name.slice(0, 2)}/${name}`;
  const path = join(storage.path, key);
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, name);
  const time = new Date(Date.now() - ageMs);
  await utimes(path, time, time);
  return key;
}

async function keysAddedBy(work: () => Promise<unknown>): Promise<string[]> {
  const before = await storage.keys();
  await work();
  return (await storage.keys()).filter((key) => !before.includes(key));
}

function untilKeysAre(wanted: readonly string[]) {
  return waitUntil(`the keys ${wanted.join(', ')}`, async () => {
    return (await storage.keys()).join() === wanted.toSorted().join();
  });
}

function untilGone(key: string) {
  return waitUntil(`the end of ${key}`, async () => !(await storage.keys()).includes(key));
}

async function uploadOf(api: HttpClient, bytes: Buffer): Promise<string> {
  const path = await startUpload(api, 'sweep/uploads');
  await expectStatus(api.send('PATCH', path, { body: bytes }), 202);
  return path;
}

function expire(path: string) {
  const id = path.slice(path.lastIndexOf('/') + 1);
  return sql(databaseUrl, `update uploads set expires = now() - interval '1 s' where id = $1`, [
    id,
  ]);
}

async function expectBlob(api: HttpClient, repository: string, { digest, bytes }: Sample) {
  const { status, body } = await api.send('GET', `/v2/${repository}/blobs/${digest}`);
  expect(status).toBe(200);
  expect(body.equals(bytes)).toBe(true);
}

test('expired uploads go with their objects; blobs and living uploads stay', async () => {
  const api = await start(AT_ONCE);
  const blob = randomSample(1000);
  const living = randomSample(1000);
  let open = '';
  const kept = await keysAddedBy(async () => {
    await pushBlob(api, 'sweep/blobs', blob);
    open = await uploadOf(api, living.bytes);
  });
  expect(kept).toHaveLength(2);
  const expired = await uploadOf(api, randomSample(1000).bytes);
  await expire(expired);
  await untilKeysAre(kept);
  expect((await api.send('GET', expired)).status).toBe(404);
  expect((await api.send('PATCH', expired, { body: 'x' })).status).toBe(404);
  const rows = await sql<{ uploads: number; deletions: number }>(
    databaseUrl,
    `select (select count(*)::int from uploads where expires < now()) as uploads,
            (select count(*)::int from deletions) as deletions`,
  );
  expect(rows).toEqual([{ uploads: 0, deletions: 0 }]);
  await expectBlob(api, 'sweep/blobs', blob);
  await expectStatus(api.send('PUT', `${open}?digest=${living.digest}`), 201);
  await expectBlob(api, 'sweep/uploads', living);
});

test('an upload that expired, but was not swept yet, is unknown', async () => {
  const api = await start({ SWEEP_INTERVAL: '3600' });
  const path = await uploadOf(api, Buffer.from('hello'));
  await expire(path);
  for (const method of ['GET', 'PATCH', 'PUT'] as const) {
    const query = method === 'PUT' ? `?digest=${randomSample(1).digest}` : '';
    const answer = await api.send(method, path + query, method === 'GET' ? {} : { body: 'x' });
    expect(answer.status).toBe(404);
  }
});

test('objects that no row names go: strays, cancelled uploads, what was there already', async () => {
  const api = await start(AT_ONCE);
  const blob = randomSample(1000);
  const kept = await keysAddedBy(() => pushBlob(api, 'sweep/blobs', blob));
  await addStray('ab-stray');
  await pushBlob(api, 'sweep/again', blob);
  const cancelled = await uploadOf(api, Buffer.from('hello'));
  await expectStatus(api.send('DELETE', cancelled), 204);
  await untilKeysAre(kept);
  await expectBlob(api, 'sweep/blobs', blob);
  await expectBlob(api, 'sweep/again', blob);
});

test('with the default grace nothing goes that is younger than a day', async () => {
  const api = await start(AFTER_A_DAY);
  const old = await addStray('ff-old', DAY_AND_MORE_MS);
  const young = await addStray('00-young', DAY_AND_MORE_MS - 2 * 3_600_000);
  const retired = await keysAddedBy(async () => {
    const path = await uploadOf(api, Buffer.from('hello'));
    await expire(path);
    // The old one may stand there as well, for a moment.
    await waitUntil('the upload to expire', async () => {
      return (
        (await sql(databaseUrl, 'select 1 from deletions where key <> $1', [old])).length === 1
      );
    });
  });
  expect(retired).toHaveLength(1);
  await untilGone(old);
  expect(await storage.keys()).toEqual([young, ...retired].toSorted());
  // Once it has been on the list for a day, it goes.
  await sql(databaseUrl, `update deletions set since = now() - interval '25 h'`);
  await untilKeysAre([young]);
});

test('an append that is running is not swept, whatever the grace is', async () => {
  const api = await start(AT_ONCE);
  const blob = randomSample(3_000_000);
  const path = await startUpload(api, 'sweep/running');
  const append = api.open('PUT', `${path}?digest=${blob.digest}`);
  await append.write(blob.bytes.subarray(0, 2_000_000));
  await waitUntil('its object', async () => (await storage.keys()).length === 1);
  await untilGone(await addStray('ab-stray'));
  append.end(blob.bytes.subarray(2_000_000));
  expect((await append.answer).status).toBe(201);
  await expectBlob(api, 'sweep/running', blob);
});

test('an append that comes slowly, and without a pause, is not swept either', async () => {
  const api = await start({ ...AT_ONCE, HTTP_IDLE_TIMEOUT: '3', HTTP_MIN_RATE: '1' });
  const blob = randomSample(1_500_000);
  const path = await startUpload(api, 'sweep/slow');
  const append = api.open('PUT', `${path}?digest=${blob.digest}`);
  let sent = 1_100_000;
  await append.write(blob.bytes.subarray(0, sent));
  const trickle = setInterval(() => {
    void append.write(blob.bytes.subarray(sent, sent + 100)).catch(() => undefined);
    sent += 100;
  }, 100);
  try {
    // Each is found by another sweep; what has no news for twice the idle time-out goes before the last of them.
    for (let round = 0; round < 8; round += 1) await untilGone(await addStray(`1${round}-stray`));
  } finally {
    clearInterval(trickle);
  }
  append.end(blob.bytes.subarray(sent));
  expect((await append.answer).status).toBe(201);
  await expectBlob(api, 'sweep/slow', blob);
});

test('a store that carries the id of another registry is not swept', async () => {
  const api = await start(AT_ONCE);
  const blob = randomSample(1000);
  await pushBlob(api, 'sweep/blobs', blob);
  await untilGone(await addStray('aa-stray'));
  await writeFile(join(storage.path, 'registry-id'), '00000000-0000-4000-8000-000000000000\n');
  const stray = await addStray('bb-stray');
  await waitUntil('a refused sweep', () => log.some((line) => line.includes('nothing is swept')));
  expect(await storage.keys()).toContain(stray);
});

test('two registries on one store sweep one at a time, and both go on', async () => {
  const [api] = [await start(AT_ONCE), await start(AT_ONCE)];
  for (let round = 0; round < 3; round += 1) await untilGone(await addStray(`0${round}-stray`));
  const blob = randomSample(1000);
  await pushBlob(api, 'sweep/two', blob);
  await untilGone(await addStray('ee-stray'));
  await expectBlob(api, 'sweep/two', blob);
  expect(log.filter((line) => line.includes('"level":"error"'))).toEqual([]);
});
