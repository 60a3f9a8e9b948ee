import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { AccessClient, pushImage, registryTokenOf } from '../support/access-client.ts';
import { type AccessScene, APP, bearer, openAccessScene } from '../support/access-scene.ts';
import { expectStatus } from '../support/sample-content.ts';
import { sql } from '../support/test-registry.ts';

/* Registry tokens between the instances of one registry. */

const MANIFEST = `/v2/${APP}/manifests/1`;
const KEYS = ['the first secret of 32 characters', 'another secret of 32 characters or more'];
const BEARER = { HTTP_AUTH_CHALLENGE: 'bearer' };

let scene: AccessScene;

beforeAll(async () => {
  scene = await openAccessScene();
  const { url } = await scene.start(BEARER);
  await expectStatus(pushImage(aliceAt(url), APP, '1'), 201);
});
beforeEach(() => scene.provider.clear());

afterAll(() => scene?.close());

function aliceAt(url: string): AccessClient {
  return new AccessClient(url, bearer(scene.provider.issueToken('alice')));
}

async function statusesAt(url: string, token: string): Promise<number[]> {
  const client = new AccessClient(url, bearer(token));
  const answers = [
    await client.send('GET', MANIFEST),
    await client.send('POST', `/v2/${APP}/blobs/uploads/`),
  ];
  return answers.map(({ status }) => status);
}

test.each([
  ['by keys that PostgreSQL keeps', BEARER],
  ['by a key that they are given', { ...BEARER, HTTP_TOKEN_KEY: String(KEYS[0]) }],
])('two instances accept each other’s tokens %s, and ask nobody', async (_, environment) => {
  const [one, other] = await Promise.all([scene.start(environment), scene.start(environment)]);
  const tokens = await Promise.all(
    [one, other].map(({ url }) => registryTokenOf(aliceAt(url), APP)),
  );
  const asked = scene.provider.count();
  for (const { url } of [one, other]) {
    for (const token of tokens) expect(await statusesAt(url, token)).toEqual([200, 202]);
  }
  expect(scene.provider.count()).toBe(asked);
});

test('a new instance accepts tokens of before it was there', async () => {
  const old = await scene.start(BEARER);
  const token = await registryTokenOf(aliceAt(old.url), APP);
  const fresh = await scene.start(BEARER);
  expect(await statusesAt(fresh.url, token)).toEqual([200, 202]);
});

test('while a given key is rotated, all tokens are good at all instances', async () => {
  const [first = '', second = ''] = KEYS;
  const keys = [`${first},${second}`, `${second},${first}`];
  const [before, after] = await Promise.all(
    keys.map((key) => scene.start({ ...BEARER, HTTP_TOKEN_KEY: key })),
  );
  for (const [giver, taker] of [
    [before, after],
    [after, before],
  ]) {
    const token = await registryTokenOf(aliceAt(giver?.url ?? ''), APP);
    expect(await statusesAt(taker?.url ?? '', token)).toEqual([200, 202]);
  }
});

test('a token by a key that an instance was not given is refused there', async () => {
  const [one, other] = await Promise.all(
    KEYS.map((key) => scene.start({ ...BEARER, HTTP_TOKEN_KEY: key })),
  );
  const token = await registryTokenOf(aliceAt(one?.url ?? ''), APP);
  expect(await statusesAt(other?.url ?? '', token)).toEqual([401, 401]);
});

test('instances that start at the same time agree on a key', async () => {
  await sql(scene.database.url, 'delete from token_keys');
  const instances = await Promise.all(Array.from({ length: 3 }, () => scene.start(BEARER)));
  const tokens = await Promise.all(instances.map(({ url }) => registryTokenOf(aliceAt(url), APP)));
  for (const { url } of instances) {
    for (const token of tokens) expect(await statusesAt(url, token)).toEqual([200, 202]);
  }
  expect(await sql(scene.database.url, 'select 1 from token_keys')).toHaveLength(1);
});
