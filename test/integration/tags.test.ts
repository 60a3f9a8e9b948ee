import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { errorCodeOf, type HttpAnswer, type HttpClient } from '../support/http-client.ts';
import { JsonValue } from '../support/json.ts';
import {
  expectStatus,
  imageOf,
  indexOf,
  OCI_INDEX,
  OCI_MANIFEST,
  pushBlob,
  putManifest,
  type Sample,
  sampleOf,
} from '../support/sample-content.ts';
import { openFixture, type RegistryFixture, sql, startRegistry } from '../support/test-registry.ts';

let fixture: RegistryFixture;
let api: HttpClient;
let repository: string;
let tests = 0;

const CONFIG = sampleOf(Buffer.from('{}'));
const ONE = imageOf(CONFIG, [], 'one');
const TWO = imageOf(CONFIG, [], 'two');
const THREE = imageOf(CONFIG, [], 'three');

beforeAll(async () => {
  fixture = await openFixture({ MUTABLE_TAGS: '*-SNAPSHOT,edge' });
  api = fixture.registry.api;
});

beforeEach(async () => {
  tests += 1;
  repository = `team/tags-${tests}`;
  await pushBlob(api, repository, CONFIG);
});

afterAll(() => fixture?.close());

interface TagRow {
  name: string;
  digest: string;
  mutability: string;
  created: string;
}

/** The rows of the table `tags`, in the order of their creation. */
function tagRows(): Promise<TagRow[]> {
  return sql<TagRow>(
    fixture.database.url,
    `select t.name, digest, mutability, t.created::text from tags t join repositories r on r.id = repository_id
     where r.name = $1 order by t.created`,
    [repository],
  );
}

function events() {
  return sql<{ tag: string; kind: string; digest: string; previous: string; times: number }>(
    fixture.database.url,
    `select tag, kind, digest, previous_digest as previous, repetitions as times from tag_events
     where repository = $1 order by id`,
    [repository],
  );
}

function event(tag: string, kind: string, { digest }: Sample, previous?: Sample, times = 1) {
  return { tag, kind, digest, previous: previous?.digest ?? null, times };
}

function push(tag: string, manifest: Sample, type: string = OCI_MANIFEST): Promise<HttpAnswer> {
  return putManifest(api, repository, tag, manifest, type);
}

async function accept(tag: string, manifest: Sample, type?: string): Promise<void> {
  const answer = await expectStatus(push(tag, manifest, type), 201);
  expect(answer.headers['docker-content-digest']).toBe(manifest.digest);
}

async function refuse(tag: string, manifest: Sample, message: RegExp, type?: string) {
  const answer = await push(tag, manifest, type);
  expect(answer.status).toBe(409);
  expect(errorCodeOf(answer)).toBe('TAG_INVALID');
  const error = JsonValue.parse(answer.body.toString()).at('errors', 0);
  expect(error.at('message').text).toMatch(message);
  expect(error.at('detail', 'Tag').text).toBe(tag);
}

async function pulled(tag: string): Promise<string | undefined> {
  const answer = await api.send('GET', `/v2/${repository}/manifests/${tag}`);
  return answer.status === 200 ? answer.headers['docker-content-digest'] : undefined;
}

test('an immutable tag never names a second digest', async () => {
  await accept('1.0', ONE);
  await refuse('1.0', TWO, /^tag already exists$/);
  expect(await pulled('1.0')).toBe(ONE.digest);
  // Nothing of the refused push is there, except the event.
  expect(await pulled(TWO.digest)).toBeUndefined();
  expect(await tagRows()).toMatchObject([{ digest: ONE.digest, mutability: 'immutable' }]);
  expect(await events()).toEqual([event('1.0', 'created', ONE), event('1.0', 'refused', TWO, ONE)]);
});

test('the same digest again is 201, and nothing changes', async () => {
  await accept('1.0', ONE);
  const before = { tags: await tagRows(), events: await events() };
  await accept('1.0', ONE);
  expect({ tags: await tagRows(), events: await events() }).toEqual(before);
});

test('repeated refusals are counted in one event', async () => {
  await accept('1.0', ONE);
  for (let n = 0; n < 3; n += 1) await refuse('1.0', TWO, /exists/);
  await refuse('1.0', THREE, /exists/);
  expect(await events()).toEqual([
    event('1.0', 'created', ONE),
    event('1.0', 'refused', TWO, ONE, 3),
    event('1.0', 'refused', THREE, ONE),
  ]);
});

test('several tags: the refusal of one is the refusal of all, and the only event', async () => {
  await accept('1.0', ONE);
  const answer = await push(`${TWO.digest}?tag=2.0&tag=1.0`, TWO);
  expect(answer.status).toBe(409);
  expect(await tagRows()).toMatchObject([{ name: '1.0' }]);
  expect((await events()).slice(1)).toEqual([event('1.0', 'refused', TWO, ONE)]);
});

test.each(['1-SNAPSHOT', '_-SNAPSHOT', 'edge'])('%s is mutable', async (tag) => {
  await accept(tag, ONE);
  const [before] = await tagRows();
  await accept(tag, TWO);
  expect(await pulled(tag)).toBe(TWO.digest);
  expect(await pulled(ONE.digest)).toBe(ONE.digest);
  await accept(tag, ONE);
  expect(await pulled(tag)).toBe(ONE.digest);
  const [after] = await tagRows();
  expect(after).toMatchObject({ mutability: 'mutable' });
  expect(after?.created).not.toBe(before?.created);
  expect(await events()).toEqual([
    event(tag, 'created', ONE),
    event(tag, 'replaced', TWO, ONE),
    event(tag, 'replaced', ONE, TWO),
  ]);
});

test.each(['1-snapshot', '1-SNAPSHOT.1', 'Edge', 'edge2'])('%s is immutable', async (tag) => {
  await accept(tag, ONE);
  await refuse(tag, TWO, /exists/);
});

test('what a tag may do is fixed when it is created', async () => {
  await accept('fixed', ONE);
  await accept('edge', ONE);
  const other = await startRegistry({
    databaseUrl: fixture.database.url,
    directory: fixture.storage.path,
    environment: { MUTABLE_TAGS: 'fixed,new' },
  });
  try {
    api = other.api;
    await refuse('fixed', TWO, /exists/);
    await accept('edge', TWO);
    await accept('new', ONE);
    await accept('new', TWO);
    await accept('x-SNAPSHOT', ONE);
    await refuse('x-SNAPSHOT', TWO, /exists/);
  } finally {
    api = fixture.registry.api;
    await other.close();
  }
  await refuse('x-SNAPSHOT', TWO, /exists/);
  await accept('new', THREE);
  expect(Object.fromEntries((await tagRows()).map((row) => [row.name, row.mutability]))).toEqual({
    fixed: 'immutable',
    edge: 'mutable',
    new: 'mutable',
    'x-SNAPSHOT': 'immutable',
  });
});

const SUBJECT = `sha256-${'a'.repeat(64)}`;

test('a fallback tag that holds an index may only grow', async () => {
  for (const image of [ONE, TWO, THREE]) await expectStatus(push(image.digest, image), 201);
  const small = indexOf([ONE]);
  const large = indexOf([ONE, TWO]);
  await accept(SUBJECT, small, OCI_INDEX);
  await accept(SUBJECT, large, OCI_INDEX);
  await refuse(SUBJECT, small, /may only grow.*1 of its entries/, OCI_INDEX);
  await refuse(SUBJECT, indexOf([TWO, THREE]), /may only grow/, OCI_INDEX);
  expect(await pulled(SUBJECT)).toBe(large.digest);
  expect(await pulled(small.digest)).toBe(small.digest);
  expect(await tagRows()).toMatchObject([{ name: SUBJECT, mutability: 'append-only' }]);
});

test.each(['.sig', '.att', '.sbom'])('a signature tag %s may only grow', async (suffix) => {
  const tag = SUBJECT + suffix;
  const a = sampleOf(Buffer.from('a'));
  const b = sampleOf(Buffer.from('b'));
  for (const layer of [a, b]) await pushBlob(api, repository, layer);
  const first = imageOf(CONFIG, [a]);
  const both = imageOf(CONFIG, [a, b]);
  await accept(tag, first);
  await accept(tag, both);
  await refuse(tag, first, /may only grow/);
  expect(await events()).toEqual([
    event(tag, 'created', first),
    event(tag, 'replaced', both, first),
    event(tag, 'refused', first, both),
  ]);
  expect(await pulled(first.digest)).toBe(first.digest);
});

test.each([
  SUBJECT,
  `${SUBJECT.slice(0, -1)}.sig`,
  `sha256-${'A'.repeat(64)}.sig`,
  `${SUBJECT}.txt`,
  `sha384-${'a'.repeat(64)}.sig`,
])('%s with an image is an immutable tag', async (tag) => {
  await accept(tag, ONE);
  await refuse(tag, TWO, /^tag already exists$/);
});

test('latest is the newest immutable tag', async () => {
  expect(await pulled('latest')).toBeUndefined();
  await accept('edge', ONE);
  await accept(`${SUBJECT}.sig`, ONE);
  expect(await pulled('latest')).toBeUndefined();
  await accept('1.0', ONE);
  expect(await pulled('latest')).toBe(ONE.digest);
  await accept('2.0', TWO);
  await accept('edge', THREE);
  await accept('1.0', ONE);
  expect(await pulled('latest')).toBe(TWO.digest);
  await accept('0.1', THREE);
  expect(await pulled('latest')).toBe(THREE.digest);
  const { headers } = await api.send('GET', `/v2/${repository}/manifests/latest`);
  expect(headers).toMatchObject({ 'cache-control': 'no-store' });
  expect((await tagRows()).map(({ name }) => name)).not.toContain('latest');
});

test('latest can be pushed only if that changes nothing', async () => {
  await refuse('latest', ONE, /^tag latest is not allowed: /);
  await accept('1.0', ONE);
  await accept('2.0', TWO);
  const before = await tagRows();
  await accept('latest', TWO);
  await refuse('latest', ONE, /^tag latest is not allowed: /);
  expect(await tagRows()).toEqual(before);
  expect((await events()).filter(({ kind }) => kind === 'refused')).toEqual([
    event('latest', 'refused', ONE, TWO, 2),
  ]);
});

test('created rises strictly, also within one push and at the same time', async () => {
  const single = Array.from({ length: 10 }, (_, n) => `single-${n}`);
  const multiple = Array.from({ length: 10 }, (_, n) => `multiple-${n}`);
  const query = multiple.map((tag) => `tag=${tag}`).join('&');
  await Promise.all([
    ...single.map((tag) => accept(tag, ONE)),
    expectStatus(push(`${TWO.digest}?${query}`, TWO), 201),
  ]);
  const rows = await tagRows();
  expect(rows).toHaveLength(20);
  expect(new Set(rows.map(({ created }) => created)).size).toBe(20);
  const inOrder = rows.map(({ name }) => name).filter((name) => name.startsWith('multiple'));
  expect(inOrder).toEqual(multiple);
  await accept('last', THREE);
  expect((await tagRows()).at(-1)?.name).toBe('last');
});
