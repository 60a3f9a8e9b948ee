import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { AccessClient, pushImage, registryTokenOf } from '../support/access-client.ts';
import { type AccessScene, APP, bearer, openAccessScene } from '../support/access-scene.ts';
import { errorCodeOf, type HttpAnswer, HttpClient } from '../support/http-client.ts';
import {
  expectStatus,
  imageOf,
  pushBlob,
  putManifest,
  randomSample,
  type Sample,
} from '../support/sample-content.ts';
import { openFixture, type RegistryFixture } from '../support/test-registry.ts';
import { waitUntil } from '../support/wait-until.ts';

/* Answers that can't change are given from memory from the second time on: the same ones, and to nobody else. */

const REPOSITORY = 'acme/kept';

/** Without what differs from answer to answer. */
function shownOf({ status, headers: { date: _date, ...headers }, body }: HttpAnswer) {
  return { status, headers, body };
}

async function inTurn<T>(count: number, work: () => Promise<T>): Promise<T[]> {
  const results: T[] = [];
  while (results.length < count) results.push(await work());
  return results;
}

describe('without access control', () => {
  let fixture: RegistryFixture;
  let api: HttpClient;
  let config: Sample;
  let image: Sample;

  beforeAll(async () => {
    fixture = await openFixture();
    api = fixture.registry.api;
    config = randomSample(600);
    image = imageOf(config);
    await pushBlob(api, REPOSITORY, config);
    for (const tag of ['1', 'a-SNAPSHOT']) {
      await expectStatus(putManifest(api, REPOSITORY, tag, image), 201);
    }
  });
  afterAll(() => fixture?.close());

  const paths = () => [
    '/v2/',
    `/v2/${REPOSITORY}/manifests/1`,
    `/v2/${REPOSITORY}/manifests/${image.digest}`,
    `/v2/${REPOSITORY}/blobs/${config.digest}`,
  ];

  test.each(['GET', 'HEAD'])('%s is answered the same each time', async (method) => {
    for (const path of paths()) {
      const [first, ...others] = await inTurn(4, () => api.send(method, path));
      expect(first?.status).toBe(200);
      for (const other of others) expect(shownOf(other)).toEqual(first && shownOf(first));
    }
  });

  test('a HEAD leaves nothing that a GET could be answered with', async () => {
    const blob = randomSample(700);
    await pushBlob(api, REPOSITORY, blob);
    const path = `/v2/${REPOSITORY}/blobs/${blob.digest}`;
    for (const method of ['HEAD', 'HEAD', 'GET', 'HEAD', 'GET']) {
      const { headers, body } = await expectStatus(api.send(method, path), 200);
      expect(headers['content-length']).toBe('700');
      expect(body).toEqual(method === 'GET' ? blob.bytes : Buffer.alloc(0));
    }
  });

  test('ranges, conditions and methods are looked at', async () => {
    const path = `/v2/${REPOSITORY}/blobs/${config.digest}`;
    await inTurn(2, () => api.send('GET', path));
    const range = await api.send('GET', path, { headers: { Range: 'bytes=0-9' } });
    expect([range.status, range.body]).toEqual([206, config.bytes.subarray(0, 10)]);
    const headers = { 'If-None-Match': `"${config.digest}"` };
    await expectStatus(api.send('GET', path, { headers }), 304);
    await expectStatus(api.send('DELETE', path), 405);
  });

  test("a client's id of its request comes back, the client's own each time", async () => {
    for (const id of ['one', 'two']) {
      const headers = { 'X-Request-Id': id };
      const answer = await api.send('GET', `/v2/${REPOSITORY}/manifests/1`, { headers });
      expect(answer.headers['x-request-id']).toBe(id);
    }
    const { headers } = await api.send('GET', `/v2/${REPOSITORY}/manifests/1`);
    expect(headers['x-request-id']).toBeUndefined();
  });

  test('what a mutable tag, and latest, names may change', async () => {
    const other = imageOf(config, [], 'another');
    const read = (tag: string) => api.send('GET', `/v2/${REPOSITORY}/manifests/${tag}`);
    for (const tag of ['a-SNAPSHOT', 'latest']) {
      for (const { body } of await inTurn(2, () => read(tag))) expect(body).toEqual(image.bytes);
    }
    for (const tag of ['a-SNAPSHOT', '2']) {
      await expectStatus(putManifest(api, REPOSITORY, tag, other), 201);
    }
    for (const tag of ['a-SNAPSHOT', 'latest']) expect((await read(tag)).body).toEqual(other.bytes);
  });

  test('what a damaged store gave is not given when it is mended', async () => {
    const { storage } = fixture;
    const before = new Set(await storage.keys());
    const blob = randomSample(800);
    await pushBlob(api, REPOSITORY, blob);
    const key = (await storage.keys()).find((each) => !before.has(each)) ?? '';
    const read = () => api.send('GET', `/v2/${REPOSITORY}/blobs/${blob.digest}`);
    for (const bytes of [Buffer.alloc(800), blob.bytes]) {
      await writeFile(join(storage.path, key), bytes);
      expect((await read()).body).toEqual(bytes);
    }
  });

  test('requests and bytes are counted as those before them', async () => {
    const line = (name: string) => countOf(fixture, `${name}{route="blob"`);
    const path = `/v2/${REPOSITORY}/blobs/${config.digest}`;
    await api.send('GET', path);
    const before = await line('pierone_http_sent_bytes_total');
    const downloaded = await fixture.registry.metric('pierone_downloaded_bytes_total');
    await inTurn(3, () => api.send('GET', path));
    await inTurn(3, () => api.send('HEAD', path));
    expect((await line('pierone_http_sent_bytes_total')) - before).toBe(1800);
    const after = await fixture.registry.metric('pierone_downloaded_bytes_total');
    expect(after - downloaded).toBe(1800);
  });
});

async function countOf({ registry }: RegistryFixture, begin: string): Promise<number> {
  const text = (await registry.management.send('GET', '/metrics')).body.toString();
  const line = text.split('\n').find((one) => one.startsWith(begin));
  return Number(line?.split(' ').at(-1));
}

describe('with access control', () => {
  let scene: AccessScene;
  let url: string;
  let alice: AccessClient;
  let paths: string[];

  beforeAll(async () => {
    scene = await openAccessScene();
    ({ url } = await scene.start({ HTTP_AUTH_CHALLENGE: 'bearer' }));
    alice = new AccessClient(url, bearer(scene.provider.issueToken('alice')));
    await expectStatus(pushImage(alice, APP, '1'), 201);
    paths = ['/v2/', `/v2/${APP}/manifests/1`];
    for (const path of paths) await inTurn(2, () => expectStatus(alice.send('GET', path), 200));
  });
  afterAll(() => scene?.close());

  test('who has no credential, or a wrong one, is told how to log in', async () => {
    for (const client of [new HttpClient(url), new AccessClient(url, bearer('wrong'))]) {
      for (const path of paths) {
        const answer = await expectStatus(client.send('GET', path), 401);
        expect(errorCodeOf(answer)).toBe('UNAUTHORIZED');
        expect(answer.headers['www-authenticate']).toContain('Bearer realm=');
      }
    }
  });

  test("a registry token for another repository doesn't open it", async () => {
    const token = await registryTokenOf(alice, 'acme/other', 'pull');
    const client = new AccessClient(url, bearer(token));
    await inTurn(2, () => expectStatus(client.send('GET', `/v2/${APP}/manifests/1`), 401));
    await expectStatus(client.send('GET', '/v2/'), 200);
  });

  test('a token that has ended opens nothing any more', async () => {
    const token = scene.provider.issueToken('alice', { lifetimeSeconds: 4 });
    const client = new AccessClient(url, bearer(token));
    const read = () => client.send('GET', `/v2/${APP}/manifests/1`);
    await expectStatus(read(), 200);
    await waitUntil('the token has ended', async () => (await read()).status === 401);
  });
});
