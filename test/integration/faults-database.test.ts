import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { errorCodeOf, type HttpAnswer, type HttpClient } from '../support/http-client.ts';
import { startPostgres, type TestPostgres } from '../support/postgres.ts';
import { type PostgresProxy, startPostgresProxy } from '../support/postgres-proxy.ts';
import {
  expectStatus,
  imageOf,
  pushBlob,
  putManifest,
  randomSample,
  startUpload,
} from '../support/sample-content.ts';
import {
  makeStorage,
  type StorageDirectory,
  sql,
  startRegistry,
  type TestRegistry,
} from '../support/test-registry.ts';
import { waitUntil } from '../support/wait-until.ts';

let postgres: TestPostgres;
let proxy: PostgresProxy;
let storage: StorageDirectory;
let registry: TestRegistry;
let api: HttpClient;

beforeAll(async () => {
  postgres = await startPostgres();
  storage = await makeStorage();
});

beforeEach(async () => {
  proxy = await startPostgresProxy(postgres.url);
  registry = await startRegistry({ databaseUrl: proxy.url, directory: storage.path });
  api = registry.api;
});

afterEach(async () => {
  await registry?.close();
  await proxy?.close();
});

afterAll(async () => {
  await storage?.remove();
  await postgres?.stop();
});

function expectUnavailable(answer: HttpAnswer): void {
  expect(answer.status).toBe(503);
  expect(errorCodeOf(answer)).toBe('UNAVAILABLE');
  expect(answer.headers['retry-after']).toMatch(/^\d+$/);
}

/** Brings PostgreSQL back, and waits until the registry has noticed by itself. */
async function recover(): Promise<void> {
  await postgres.start();
  await waitUntil('the registry to recover', async () => {
    return (await api.send('GET', '/v2/_catalog')).status === 200;
  });
}

test('without PostgreSQL what is cached is served, the rest is 503, and it recovers', async () => {
  const config = randomSample(100);
  const other = randomSample(100_000);
  const image = imageOf(config, [other]);
  await pushBlob(api, 'faults/down', config);
  await pushBlob(api, 'faults/down', other);
  await expectStatus(putManifest(api, 'faults/down', '1.0', image), 201);
  const cached = [
    '/v2/faults/down/manifests/1.0',
    `/v2/faults/down/manifests/${image.digest}`,
    `/v2/faults/down/blobs/${other.digest}`,
  ];
  for (const path of cached) await expectStatus(api.send('GET', path), 200);
  const upload = await startUpload(api, 'faults/down');

  await postgres.kill();
  for (const path of cached) expect((await api.send('GET', path)).status).toBe(200);
  const { body } = await api.send('GET', cached[2] ?? '');
  expect(body.equals(other.bytes)).toBe(true);
  for (const [method, path] of [
    ['GET', `/v2/faults/down/blobs/${config.digest}`],
    ['GET', '/v2/faults/down/manifests/2.0'],
    ['GET', '/v2/faults/down/manifests/latest'],
    ['GET', '/v2/faults/down/tags/list'],
    ['GET', '/v2/_catalog'],
    ['GET', `/v2/faults/down/referrers/${image.digest}`],
    ['GET', upload],
    ['PATCH', upload],
    ['PUT', `${upload}?digest=${config.digest}`],
    ['DELETE', upload],
    ['POST', '/v2/faults/down/blobs/uploads/'],
    ['POST', `/v2/faults/x/blobs/uploads/?mount=${config.digest}&from=faults/down`],
  ] as const) {
    const answer = await api.send(method, path, method === 'PATCH' ? { body: 'hello' } : {});
    expectUnavailable(answer);
  }
  expectUnavailable(await putManifest(api, 'faults/down', '3.0', image));

  await recover();
  await expectStatus(
    api.send('PUT', `${upload}?digest=${config.digest}`, { body: config.bytes }),
    201,
  );
  await expectStatus(putManifest(api, 'faults/down', '3.0', image), 201);
});

test('PostgreSQL killed in the middle of an append: 503, and the upload goes on', async () => {
  const blob = randomSample(3_000_000);
  const path = await startUpload(api, 'faults/append');
  const append = api.open('PATCH', path);
  await append.write(blob.bytes.subarray(0, 1_000_000));
  await waitUntil('the append to begin', async () => {
    return (await registry.metric('pierone_active_appends')) === 1;
  });
  await postgres.kill();
  append.end(blob.bytes.subarray(1_000_000));
  expectUnavailable(await append.answer);
  await recover();
  const status = await expectStatus(api.send('GET', path), 204);
  expect(status.headers['range']).toBe('0-0');
  const headers = { 'Content-Range': `0-${blob.bytes.length - 1}` };
  await expectStatus(api.send('PATCH', path, { headers, body: blob.bytes }), 202);
  await expectStatus(api.send('PUT', `${path}?digest=${blob.digest}`), 201);
  const { body } = await api.send('GET', `/v2/faults/append/blobs/${blob.digest}`);
  expect(body.equals(blob.bytes)).toBe(true);
  expect(await registry.metric('pierone_active_appends')).toBe(0);
});

test('an outage leaves one connection for locks, and no lock', async () => {
  const paths = await Promise.all([1, 2, 3].map(() => startUpload(api, 'faults/locks')));
  const appends = paths.map((path) => api.open('PATCH', path));
  for (const append of appends) await append.write(Buffer.from('hello'));
  await waitUntil('the appends to begin', async () => {
    return (await registry.metric('pierone_active_appends')) === 3;
  });
  await postgres.kill();
  await recover();
  // They end one after the other, each after a new append has asked for a lock.
  for (const append of appends) {
    const path = await startUpload(api, 'faults/locks');
    const headers = { 'Content-Range': '0-4' };
    await expectStatus(api.send('PATCH', path, { headers, body: 'hello' }), 202);
    append.end();
    await append.answer;
  }
  const [count] = await sql<{ connections: number; locks: number }>(
    postgres.url,
    `select (select count(*)::int from pg_stat_activity where application_name = 'pierone-locks') as connections,
            (select count(*)::int from pg_locks join pg_database d on d.oid = database
             where locktype = 'advisory' and d.datname = current_database()) as locks`,
  );
  expect(count).toEqual({ connections: 1, locks: 0 });
});

test('the connection lost before the COMMIT of a closing PUT: 503, and a repeated PUT is 201', async () => {
  const blob = randomSample(1000);
  const path = await startUpload(api, 'faults/before');
  await expectStatus(api.send('PATCH', path, { body: blob.bytes }), 202);
  const cut = proxy.cutNextCommit('before');
  const answer = await api.send('PUT', `${path}?digest=${blob.digest}`);
  await cut;
  expectUnavailable(answer);
  expect((await api.send('GET', `/v2/faults/before/blobs/${blob.digest}`)).status).toBe(404);
  await expectStatus(api.send('PUT', `${path}?digest=${blob.digest}`), 201);
  const { body } = await api.send('GET', `/v2/faults/before/blobs/${blob.digest}`);
  expect(body.equals(blob.bytes)).toBe(true);
});

test('the connection lost after the COMMIT of a closing PUT: it looks again, and says 201', async () => {
  const blob = randomSample(1000);
  const path = await startUpload(api, 'faults/after');
  await expectStatus(api.send('PATCH', path, { body: blob.bytes }), 202);
  const cut = proxy.cutNextCommit('after');
  const answer = await api.send('PUT', `${path}?digest=${blob.digest}`);
  await cut;
  expect(answer.status).toBe(201);
  const { body } = await api.send('GET', `/v2/faults/after/blobs/${blob.digest}`);
  expect(body.equals(blob.bytes)).toBe(true);
});

test.each(['before', 'after'] as const)(
  'the connection lost %s the COMMIT of a manifest: repeated, it is 201',
  async (moment) => {
    const config = randomSample(100);
    const image = imageOf(config);
    const repository = `faults/manifest-${moment}`;
    await pushBlob(api, repository, config);
    const cut = proxy.cutNextCommit(moment);
    expectUnavailable(await putManifest(api, repository, '1.0', image));
    await cut;
    await expectStatus(putManifest(api, repository, '1.0', image), 201);
    const events = await sql(postgres.url, 'select 1 from tag_events where repository = $1', [
      repository,
    ]);
    expect(events).toHaveLength(1);
  },
);

test('PostgreSQL killed while a closing PUT waits in its transaction: 503, nothing is half done', async () => {
  const blob = randomSample(1000);
  const path = await startUpload(api, 'faults/kill');
  await expectStatus(api.send('PATCH', path, { body: blob.bytes }), 202);
  // The transaction stops at the table of blobs.
  const blocker = sql(
    postgres.url,
    'begin; lock table blobs in exclusive mode; select pg_sleep(600)',
  );
  blocker.catch(() => undefined);
  const isWaiting = async (text: string) => {
    const rows = await sql(postgres.url, text);
    return rows.length > 0;
  };
  await waitUntil('the table to be locked', () =>
    isWaiting(
      `select 1 from pg_locks where relation = 'blobs'::regclass and mode = 'ExclusiveLock'`,
    ),
  );
  const answer = api.send('PUT', `${path}?digest=${blob.digest}`);
  await waitUntil('the PUT to wait', () =>
    isWaiting(`select 1 from pg_locks where relation = 'blobs'::regclass and not granted`),
  );
  await postgres.kill();
  expectUnavailable(await answer);
  await expect(blocker).rejects.toThrow();
  await recover();
  expect((await api.send('GET', `/v2/faults/kill/blobs/${blob.digest}`)).status).toBe(404);
  await expectStatus(api.send('PUT', `${path}?digest=${blob.digest}`), 201);
});
