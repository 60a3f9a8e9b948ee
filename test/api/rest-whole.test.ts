import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openRestFixture } from '../support/checked-client.ts';
import type { HttpAnswer, HttpClient } from '../support/http-client.ts';
import {
  expectStatus,
  imageOf,
  pushBlob,
  putManifest,
  sampleOf,
} from '../support/sample-content.ts';
import type { RegistryFixture } from '../support/test-registry.ts';

/*
 * What counts or lists all that there is, over a registry that first is empty, and then has what the original's own
 * tests push.
 */

let fixture: RegistryFixture;
let api: HttpClient;

beforeAll(async () => {
  fixture = await openRestFixture();
  api = fixture.registry.api;
});

afterAll(() => fixture?.close());

async function get(path: string, status = 200): Promise<unknown> {
  const answer = await expectStatus(api.send('GET', path), status);
  return JSON.parse(answer.body.toString());
}

/** Of 16 bytes, with its layer. */
async function push(repository: string, tag: string, note: string): Promise<HttpAnswer> {
  const [config, layer] = [sampleOf(Buffer.from('{"a": 1}')), sampleOf(Buffer.from('img1data'))];
  for (const blob of [config, layer]) await pushBlob(api, repository, blob);
  return putManifest(api, repository, tag, imageOf(config, [layer], note));
}

describe('an empty registry', () => {
  test.each([
    ['/teams', []],
    ['/stats', { teams: 0, storage: null }],
    ['/stats/teams', []],
    ['/stats/teams/stups', { artifacts: 0, tags: 0 }],
    ['/events', []],
    ['/search?q=a', []],
    ['/teams?limit=10', []],
    ['/events?limit=10', []],
  ])('GET %s', async (path, content) => {
    expect(await get(path)).toEqual(content);
  });
});

describe('a registry with stups/kio:1.0, a snapshot, an artifact without tags, and a signature', () => {
  beforeAll(async () => {
    await expectStatus(push('stups/kio', '1.0', 'a'), 201);
    await expectStatus(push('stups/kio', '1.0-SNAPSHOT', 'b'), 201);
    await expectStatus(push('stups/kio', '1.0-SNAPSHOT', 'c'), 201);
    await pushBlob(api, 'blobs/only', sampleOf(Buffer.from('{"a": 1}')));
    await expectStatus(push('signatures/only', `sha256-${'0'.repeat(64)}.sig`, 'd'), 201);
    await expectStatus(push('acme/web', '1', 'e'), 201);
  });

  test.each([
    ['/teams', ['acme', 'stups']],
    ['/stats', { teams: 2, storage: 16 }],
    [
      '/stats/teams',
      [
        { team: 'acme', stats: { artifacts: 1, tags: 1 } },
        { team: 'stups', stats: { artifacts: 1, tags: 2 } },
      ],
    ],
    ['/stats/teams/stups', { artifacts: 1, tags: 2 }],
    ['/stats/teams/signatures', { artifacts: 0, tags: 0 }],
    ['/stats/teams/signatures?all=true', { artifacts: 1, tags: 1 }],
    ['/stats/teams/nobody', { artifacts: 0, tags: 0 }],
    ['/search?q=only', []],
    ['/search?q=KI', [{ name: 'stups/kio', team: 'stups', artifact: 'kio' }]],
  ])('GET %s', async (path, content) => {
    expect(await get(path)).toEqual(content);
  });

  test.each([
    ['/teams', 'acme'],
    ['/stats/teams', { team: 'acme', stats: { artifacts: 1, tags: 1 } }],
  ])('GET %s?limit=1 leads on to the second page, and that nowhere', async (path, first) => {
    const answer = await api.send('GET', `${path}?limit=1`);
    expect(JSON.parse(answer.body.toString())).toEqual([first]);
    const [, next = ''] = /^<(.+)>; rel="next"$/.exec(answer.headers['link'] ?? '') ?? [];
    const second = await api.send('GET', next);
    expect(second.body.toString()).toContain('stups');
    expect(second.headers['link']).toBeUndefined();
  });
});
