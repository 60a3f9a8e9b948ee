import { afterAll, beforeAll, expect, test } from 'vitest';
import { type HttpAnswer, HttpClient } from '../support/http-client.ts';
import { JsonValue } from '../support/json.ts';
import {
  expectStatus,
  imageOf,
  OCI_MANIFEST,
  pushBlob,
  randomSample,
  type Sample,
  sampleOf,
  startUpload,
} from '../support/sample-content.ts';
import { type ServerProcess, startServer } from '../support/server.ts';
import {
  createDatabase,
  openFixture,
  type RegistryFixture,
  sql,
} from '../support/test-registry.ts';

const PUSHES = 64;
const ROUNDS = 20;
const CONFIG = sampleOf(Buffer.from('{}'));

let fixture: RegistryFixture;
/** Two processes on the database and the directory of the fixture. */
let processes: ServerProcess[];
let pair: HttpClient[];

beforeAll(async () => {
  fixture = await openFixture();
  const environment = {
    DATABASE_URL: fixture.database.url,
    STORAGE_DIRECTORY: fixture.storage.path,
  };
  processes = await Promise.all([startServer(environment), startServer(environment)]);
  pair = processes.map((process) => new HttpClient(process.url));
});

afterAll(async () => {
  await Promise.all((processes ?? []).map((process) => process.stop()));
  await fixture?.close();
});

/** Sends requests that wait for each other: every one is connected and lacks its body until all are there. */
async function atOnce(
  requests: readonly { api: HttpClient; method: string; path: string; body: Buffer }[],
  headers: Readonly<Record<string, string>> = {},
): Promise<HttpAnswer[]> {
  const open = requests.map(({ api, method, path, body }) => ({
    body,
    request: api.open(method, path, { ...headers, 'Content-Length': String(body.length) }),
  }));
  await Promise.all(open.map(({ request }) => request.connected));
  for (const { request, body } of open) request.end(body);
  return Promise.all(open.map(({ request }) => request.answer));
}

function countStatuses(answers: readonly HttpAnswer[]): Record<number, number> {
  const counts: Record<number, number> = {};
  for (const { status } of answers) counts[status] = (counts[status] ?? 0) + 1;
  return counts;
}

/** 64 manifests for one new tag: one of them gets it. */
async function raceForTag(servers: readonly HttpClient[], repository: string, tag: string) {
  const manifests = Array.from({ length: PUSHES }, (_, n) => imageOf(CONFIG, [], `${tag} ${n}`));
  const requests = manifests.map(({ bytes }, n) => ({
    api: at(servers, n),
    method: 'PUT',
    path: `/v2/${repository}/manifests/${tag}`,
    body: bytes,
  }));
  const answers = await atOnce(requests, { 'Content-Type': OCI_MANIFEST });
  expect(countStatuses(answers)).toEqual({ 201: 1, 409: PUSHES - 1 });
  const winner = manifests[answers.findIndex(({ status }) => status === 201)];
  for (const api of servers) {
    const { body } = await api.send('GET', `/v2/${repository}/manifests/${tag}`);
    expect(body).toEqual(winner?.bytes);
  }
  expect(await countEvents(repository, tag)).toEqual({ created: 1, refused: PUSHES - 1 });
}

function at<T>(list: readonly T[], n: number): T {
  const item = list[n % list.length];
  if (item === undefined) throw new Error('an empty list');
  return item;
}

async function countEvents(repository: string, tag: string) {
  const rows = await sql<{ kind: string; times: number }>(
    fixture.database.url,
    `select kind, sum(repetitions)::int as times from tag_events
     where repository = $1 and tag = $2 group by kind`,
    [repository, tag],
  );
  return Object.fromEntries(rows.map(({ kind, times }) => [kind, times]));
}

test('of 64 pushes to one new tag one wins, and 63 are refused and recorded', async () => {
  const { api } = fixture.registry;
  await pushBlob(api, 'race/one', CONFIG);
  for (let round = 0; round < ROUNDS; round += 1) await raceForTag([api], 'race/one', `t${round}`);
});

test('the same over two processes', async () => {
  await pushBlob(at(pair, 0), 'race/two', CONFIG);
  for (let round = 0; round < ROUNDS; round += 1) await raceForTag(pair, 'race/two', `t${round}`);
});

test('16 first pushes to a new repository, each with a tag and blobs of its own', async () => {
  const answers = await Promise.all(
    Array.from({ length: 16 }, async (_, n) => {
      const api = at(pair, n);
      const layer = randomSample(1000);
      const image = imageOf(layer, [CONFIG, layer]);
      await Promise.all([
        pushBlob(api, 'race/new', layer),
        pushBlob(api, 'race/new', CONFIG),
        pushBlob(at(pair, n + 1), 'race/new', layer),
      ]);
      return api.send('PUT', `/v2/race/new/manifests/t${n}`, { body: image.bytes });
    }),
  );
  expect(countStatuses(answers)).toEqual({ 201: 16 });
  const list = await at(pair, 0).send('GET', '/v2/race/new/tags/list');
  expect(JsonValue.parse(list.body.toString()).at('tags').texts).toHaveLength(16);
});

/** Uploads of one blob, complete but for the closing PUT. */
async function prepareUploads(blob: Sample, repositoryOf: (n: number) => string) {
  return Promise.all(
    Array.from({ length: 16 }, async (_, n) => {
      const api = at(pair, n);
      const path = await startUpload(api, repositoryOf(n));
      await expectStatus(api.send('PATCH', path, { body: blob.bytes }), 202);
      return { api, method: 'PUT', path: `${path}?digest=${blob.digest}`, body: Buffer.alloc(0) };
    }),
  );
}

test.each([
  ['one repository', () => 'race/closing'],
  ['16 repositories', (n: number) => `race/closing-${n}`],
])('16 closing PUTs of one new blob, in %s, leave it once', async (_, repositoryOf) => {
  const blob = randomSample(100_000);
  const before = await fixture.storage.keys();
  const answers = await atOnce(await prepareUploads(blob, repositoryOf));
  expect(countStatuses(answers)).toEqual({ 201: 16 });
  for (let n = 0; n < 16; n += 1) {
    const { body } = await at(pair, n).send('GET', `/v2/${repositoryOf(n)}/blobs/${blob.digest}`);
    expect(body.equals(blob.bytes)).toBe(true);
  }
  const added = (await fixture.storage.keys()).filter((key) => !before.includes(key));
  expect(added).toHaveLength(16);
  const rows = await sql<{ list: string }>(
    fixture.database.url,
    `select 'kept' as list from blob_segments where key = any($1)
     union all select 'deletions' from deletions where key = any($1) order by list`,
    [added],
  );
  expect(rows.map(({ list }) => list)).toEqual([...Array(15).fill('deletions'), 'kept']);
});

test('16 repetitions of one closing PUT are all answered by 201', async () => {
  const blob = randomSample(1000);
  const [request] = await prepareUploads(blob, () => 'race/repeated');
  if (!request) throw new Error('no upload');
  const answers = await Promise.all(
    Array.from({ length: 16 }, (_, n) => at(pair, n).send('PUT', request.path)),
  );
  for (const { status } of answers) expect([201, 409]).toContain(status);
  expect(answers.some(({ status }) => status === 201)).toBe(true);
  expect((await request.api.send('PUT', request.path)).status).toBe(201);
});

test('16 mounts of one blob into one new repository', async () => {
  const blob = randomSample(1000);
  await pushBlob(at(pair, 0), 'race/source', blob);
  const path = `/v2/race/target/blobs/uploads/?mount=${blob.digest}&from=race/source`;
  const requests = Array.from({ length: 16 }, (_, n) => ({
    api: at(pair, n),
    method: 'POST',
    path,
    body: Buffer.alloc(0),
  }));
  expect(countStatuses(await atOnce(requests))).toEqual({ 201: 16 });
  const { body } = await at(pair, 1).send('GET', `/v2/race/target/blobs/${blob.digest}`);
  expect(body.equals(blob.bytes)).toBe(true);
});

test('four processes that migrate an empty database at once all start, on one registry', async () => {
  // The directory is new to all of them as well.
  const environment = {
    DATABASE_URL: await createDatabase(fixture.database.url),
    STORAGE_DIRECTORY: `${fixture.storage.path}-fresh`,
    WORKER_THREADS: '1',
  };
  const started = await Promise.allSettled(
    Array.from({ length: 4 }, () => startServer(environment)),
  );
  const servers = started.flatMap((start) => (start.status === 'fulfilled' ? [start.value] : []));
  try {
    expect(started.filter(({ status }) => status === 'rejected')).toEqual([]);
    const blob = randomSample(1000);
    await pushBlob(new HttpClient(servers[0]?.url ?? ''), 'a/b', blob);
    for (const { url } of servers) {
      const { body } = await new HttpClient(url).send('GET', `/v2/a/b/blobs/${blob.digest}`);
      expect(body.equals(blob.bytes)).toBe(true);
    }
    const ran = servers.flatMap(({ log }) => log.filter((line) => 'applied' in line));
    expect(ran).toHaveLength(1);
  } finally {
    await Promise.all(servers.map((server) => server.stop()));
  }
});
