import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { openRestFixture } from '../support/checked-client.ts';
import type { HttpAnswer } from '../support/http-client.ts';
import { type RestRow, type RestStage, testRestRows } from '../support/rest-table.ts';
import {
  expectStatus,
  imageOf,
  pushBlob,
  putManifest,
  sampleOf,
} from '../support/sample-content.ts';
import type { RegistryFixture } from '../support/test-registry.ts';

let fixture: RegistryFixture;
let stage: RestStage;

beforeAll(async () => {
  fixture = await openRestFixture();
  stage = { api: fixture.registry.api };
});

afterAll(() => fixture?.close());

const V1 = { 'x-docker-registry-version': '0.6.3', 'x-docker-token': 'AnonFakeToken' };
const V1_TAGS = '/v1/repositories/TEAM/app/tags';
const READ_ONLY = {
  status: 404,
  says: /^the v1 protocol is not spoken here.*Docker 1\.10 or newer/,
};

const V1_ROWS: RestRow[] = [
  { request: 'GET /v1/_ping', status: 200, content: true, answer: V1 },
  {
    request: 'GET /v1/_ping',
    note: 'no credential is repeated',
    headers: { Authorization: 'Bearer secret', Host: '127.0.0.1:5000' },
    status: 200,
    content: true,
    answer: { ...V1, 'x-docker-endpoints': '127.0.0.1:5000' },
  },
  {
    request: 'GET /v1/search?q=TEAM',
    status: 200,
    content: { results: [], query: 'TEAM', page: 1, page_size: 0, num_pages: 1, num_results: 0 },
  },
  {
    request: 'GET /v1/search?q=TEAM',
    given: 'several artifacts',
    status: 200,
    content: {
      results: [{ name: 'TEAM/a.b' }, { name: 'TEAM/a/b' }, { name: 'TEAM/web' }],
      query: 'TEAM',
      page: 1,
      page_size: 3,
      num_pages: 1,
      num_results: 3,
    },
    answer: V1,
  },
  {
    request: 'GET /v1/search?q=WORD',
    given: 'artifacts of a word',
    note: 'matched exactly',
    status: 200,
    contains: { results: [{ name: 'TEAM/WORD' }], num_results: 1 },
  },
  { request: 'GET /v1/search', status: 200, contains: { results: [], query: '' } },
  { request: `GET ${V1_TAGS}`, status: 404, says: /has no tags/ },
  {
    request: `GET ${V1_TAGS}`,
    given: 'two tags and a snapshot',
    status: 200,
    content: {
      '1.0': 'FIRST_CONFIG',
      '1.1': 'SECOND_CONFIG',
      '2.0-SNAPSHOT': 'THIRD_CONFIG',
      latest: 'SECOND_CONFIG',
    },
    answer: V1,
  },
  {
    request: `GET ${V1_TAGS}`,
    given: 'a snapshot alone',
    note: 'nothing is latest',
    status: 200,
    content: { '1.0-SNAPSHOT': 'FIRST_CONFIG' },
  },
  { request: `GET ${V1_TAGS}/1.0`, status: 404, says: /^there is no tag 1\.0/ },
  { request: `GET ${V1_TAGS}/1.0`, given: 'two tags', status: 200, content: 'FIRST_CONFIG' },
  { request: `GET ${V1_TAGS}/latest`, given: 'two tags', status: 200, content: 'SECOND_CONFIG' },
  { request: 'GET /v1/users', ...READ_ONLY },
  { request: 'PUT /v1/repositories/TEAM/app/', ...READ_ONLY },
  { request: 'PUT /v1/images/abc/json', ...READ_ONLY },
  {
    request: `PUT ${V1_TAGS}/1.0`,
    status: 405,
    says: /^PUT is not supported here: use GET, HEAD, OPTIONS$/,
  },
];

const foundIn = (...artifacts: string[]) =>
  artifacts.map((artifact) => ({ name: `TEAM/${artifact}`, team: 'TEAM', artifact }));
const SEARCH: RestRow[] = [
  { request: 'GET /search?q=WORD', status: 200, content: [] },
  {
    request: 'GET /search?q=WORD',
    given: 'artifacts of a word',
    note: 'what ends there first, each once',
    status: 200,
    content: foundIn('my-WORD', 'WORD', 'WORD.WORD/deep'),
  },
  {
    request: 'GET /search?q=TEAM/my-',
    given: 'artifacts of a word',
    status: 200,
    content: foundIn('my-WORD'),
  },
  { request: 'GET /search?q=%25', given: 'several artifacts', status: 200, content: [] },
  { request: 'GET /search', status: 400, says: /^q: is missing: it is the text to look for$/ },
  { request: 'GET /search?q=', status: 400, says: /^q: is empty/ },
];

const PAGES: RestRow[] = [
  ...['0', '-1', '1.5', 'x', '', '1001'].map(
    (limit): RestRow => ({
      request: `GET /teams?limit=${limit}`,
      status: 400,
      says: /^limit: must be /,
    }),
  ),
  ...['x', 'IjE', 'eyJhIjoxfQ', 'IlwwMDAwIg', 'Ilx1MDAwMCI'].map(
    (after): RestRow => ({
      request: `GET /teams?after=${after}`,
      status: 400,
      says: /^after: must be what the header Link of the page before has, as it came$/,
    }),
  ),
  {
    request: 'GET /teams/TEAM/artifacts?limit=3',
    given: 'several artifacts',
    note: 'the last page leads nowhere',
    status: 200,
    content: ['a.b', 'a/b', 'web'],
    answer: { link: undefined },
  },
  {
    request: 'GET /teams/TEAM/artifacts?limit=2',
    given: 'several artifacts',
    status: 200,
    content: ['a.b', 'a/b'],
    answer: { link: /^<\/teams\/team-\d+x\/artifacts\?limit=2&after=[\w-]+>; rel="next"$/ },
  },
  {
    request: 'GET /teams/TEAM/artifacts/app/tags?limit=1&all=true',
    given: 'two tags',
    note: 'other parameters stay',
    status: 200,
    contains: [{ name: '1.0' }],
    answer: { link: /tags\?limit=1&all=true&after=[\w-]+>; rel="next"$/ },
  },
];

const CORS: RestRow[] = [
  {
    request: 'OPTIONS /teams',
    headers: { 'Access-Control-Request-Headers': 'Authorization, X-A' },
    status: 200,
    answer: {
      'access-control-allow-methods': 'GET, POST, DELETE, PUT, PATCH, OPTIONS',
      'access-control-allow-headers': 'Authorization, X-A',
      'access-control-max-age': '3600',
    },
  },
  { request: 'OPTIONS /no/such/path', status: 200 },
];

const OTHERS: RestRow[] = [
  {
    request: 'GET /.well-known/schema-discovery',
    status: 200,
    content: { schema_url: '/swagger.json', schema_type: 'swagger-2.0', ui_url: '/ui/' },
  },
  {
    request: 'GET /swagger.json',
    headers: { Host: '127.0.0.1:5000' },
    status: 200,
    contains: {
      swagger: '2.0',
      host: '127.0.0.1:5000',
      basePath: '/',
      info: { title: 'Pier One API' },
    },
  },
  ...['GET /foo', 'POST /foo', 'GET /%zz', 'GET /teams/TEAM', 'GET /v2x/'].map(
    (request): RestRow => ({ request, status: 404, says: /^(GET|POST) \S+ not found\. / }),
  ),
  {
    request: 'DELETE /teams',
    status: 405,
    says: /^DELETE is not supported here: use GET, HEAD, OPTIONS$/,
    answer: { allow: 'GET, HEAD, OPTIONS' },
  },
];

testRestRows(
  {
    'v1: what tools still read': V1_ROWS,
    'GET /search: what has the text at the beginning of a word': SEARCH,
    'pages: limit and after': PAGES,
    'CORS: browsers of any origin may read': CORS,
    'the description of the API, and paths that are not': OTHERS,
  },
  () => stage,
);

function entriesOf(answer: HttpAnswer): unknown[] {
  return z.array(z.unknown()).parse(JSON.parse(answer.body.toString()));
}

describe('pages of any size show the whole list once', () => {
  const tags = Array.from({ length: 10 }, (_, n) => `${n}.0`);

  beforeAll(async () => {
    const { api } = fixture.registry;
    const config = sampleOf(Buffer.from('{}'));
    for (const tag of tags) {
      const repository = `paged/artifact-${tag}`;
      for (const name of ['paged/many', repository]) {
        await pushBlob(api, name, config);
        await expectStatus(putManifest(api, name, tag, imageOf(config, [], 'same')), 201);
      }
    }
  });

  test.each([
    '/teams',
    '/teams/paged/artifacts',
    '/teams/paged/artifacts/many/tags',
    '/teams/paged/artifacts/many/tags?order=desc',
    '/stats/teams',
    '/search?q=artifact',
    `/tags/${imageOf(sampleOf(Buffer.from('{}')), [], 'same').digest}`,
    '/events?team=paged&order=desc',
  ])('%s', async (path) => {
    const { api } = fixture.registry;
    const whole = entriesOf(await api.send('GET', path));
    expect(whole.length).toBeGreaterThan(0);
    for (const limit of [1, 3, 1000]) {
      const entries: unknown[] = [];
      let next: string | undefined = `${path}${path.includes('?') ? '&' : '?'}limit=${limit}`;
      while (next !== undefined) {
        const page = await expectStatus(api.send('GET', next), 200);
        entries.push(...entriesOf(page));
        next = /^<(.+)>; rel="next"$/.exec(page.headers['link'] ?? '')?.[1];
      }
      expect(entries).toEqual(whole);
    }
  });
});
