import { afterAll, beforeAll, expect, test } from 'vitest';
import { NO_REPOSITORY, notAllowed } from '../support/api-expectations.ts';
import { type Row, testRows } from '../support/api-table.ts';
import type { HttpClient } from '../support/http-client.ts';
import { JsonValue } from '../support/json.ts';
import {
  expectStatus,
  imageOf,
  pushBlob,
  putManifest,
  sampleOf,
} from '../support/sample-content.ts';
import { openFixture, type RegistryFixture } from '../support/test-registry.ts';

let fixture: RegistryFixture;
let api: HttpClient;

const CONFIG = sampleOf(Buffer.from('{}'));
const IMAGE = imageOf(CONFIG);
/** Sorted by bytes: digits, capitals, underscore, small letters. */
const TAGS = ['0.9', '1.0', 'A', 'B', '_x', 'a', 'a-b', 'a.b', 'b'];
const REPOSITORIES = ['a/a', 'a/b', 'a/b-c', 'a/b/c', 'b/a'];

beforeAll(async () => {
  fixture = await openFixture();
  api = fixture.registry.api;
  for (const repository of REPOSITORIES.toReversed()) {
    await pushBlob(api, repository, CONFIG);
    await expectStatus(putManifest(api, repository, IMAGE.digest, IMAGE), 201);
  }
  await pushBlob(api, 'only/blobs', CONFIG);
  for (const tag of TAGS.toReversed()) {
    await expectStatus(putManifest(api, 'a/a', tag, IMAGE), 201);
  }
});

afterAll(() => fixture?.close());

const JSON_HEADERS = { 'content-type': 'application/json', 'cache-control': 'no-store' };

/** A page of a list, and the Link to the next one. */
function page(path: string, content: object, link?: string): Row {
  const answer = { ...JSON_HEADERS, link: link && `<${link}>; rel="next"` };
  return { request: `GET ${path}`, status: 200, answer, content };
}

function tagsPage(query: string, tags: readonly string[], link?: string): Row {
  const path = '/v2/a/a/tags/list';
  return page(path + query, { name: 'a/a', tags }, link && path + link);
}

function catalogPage(query: string, repositories: readonly string[], link?: string): Row {
  return page(`/v2/_catalog${query}`, { repositories }, link && `/v2/_catalog${link}`);
}

const N_IS_NO_NUMBER = {
  status: 400,
  code: 'UNSUPPORTED',
  says: /^n must be a whole number of entries$/,
} as const;
const NUL = {
  status: 400,
  code: 'UNSUPPORTED',
  says: /^last must not contain U\+0000$/,
} as const;

/** What is refused in every list. */
function refused(path: string): Row[] {
  return [
    ...['-1', 'x', '1.5', '', '1e3'].map(
      (n): Row => ({ request: `GET ${path}?n=${n}`, ...N_IS_NO_NUMBER }),
    ),
    { request: `GET ${path}?last=%00`, ...NUL },
    ...['DELETE', 'PUT', 'POST', 'PATCH'].map(
      (method): Row => ({ request: `${method} ${path}`, ...notAllowed('GET, HEAD') }),
    ),
  ];
}

const TAG_LISTS: Row[] = [
  tagsPage('', TAGS),
  tagsPage('?n=2', ['0.9', '1.0'], '?n=2&last=1.0'),
  tagsPage('?n=2&last=1.0', ['A', 'B'], '?n=2&last=B'),
  { ...tagsPage('?last=A0', TAGS.slice(3)), note: 'last need not exist' },
  tagsPage('?n=8', TAGS.slice(0, 8), '?n=8&last=a.b'),
  tagsPage('?n=9', TAGS),
  tagsPage('?n=100', TAGS),
  tagsPage('?n=2000', TAGS),
  tagsPage('?n=99999999999999999999', TAGS),
  { ...tagsPage('?n=0', []), note: 'nothing, and no Link' },
  tagsPage('?last=b', []),
  tagsPage('?last=%FF', []),
  page('/v2/only/blobs/tags/list', { name: 'only/blobs', tags: [] }),
  {
    request: 'GET /v2/un/known/tags/list',
    ...NO_REPOSITORY,
    detail: { name: 'un/known' },
  },
  ...refused('/v2/a/a/tags/list'),
];

const CATALOG: Row[] = [
  catalogPage('', REPOSITORIES),
  catalogPage('?n=2', ['a/a', 'a/b'], '?n=2&last=a%2Fb'),
  catalogPage('?n=2&last=a%2Fb', ['a/b-c', 'a/b/c'], '?n=2&last=a%2Fb%2Fc'),
  catalogPage('?n=2&last=a/b/c', ['b/a']),
  catalogPage('?n=0', []),
  catalogPage('?last=zzz', []),
  catalogPage('?last=%FF', []),
  ...refused('/v2/_catalog'),
];

testRows(
  {
    'end-8: GET /v2/NAME/tags/list[?n=&last=] is sorted, and cut with a Link': TAG_LISTS,
    'GET /v2/_catalog[?n=&last=] lists the repositories that have a manifest': CATALOG,
  },
  () => fixture,
);

test('a page ends at 1000 entries, whatever is asked for', async () => {
  await pushBlob(api, 'many/tags', CONFIG);
  const tags = Array.from({ length: 1001 }, (_, n) => `t${String(n).padStart(4, '0')}`);
  for (let from = 0; from < tags.length; from += 250) {
    const query = tags.slice(from, from + 250).map((tag) => `tag=${tag}`);
    const reference = `${IMAGE.digest}?${query.join('&')}`;
    await expectStatus(putManifest(api, 'many/tags', reference, IMAGE), 201);
  }
  for (const query of ['', '?n=5000']) {
    const answer = await api.send('GET', `/v2/many/tags/tags/list${query}`);
    expect(JsonValue.parse(answer.body.toString()).at('tags').texts).toEqual(tags.slice(0, 1000));
    expect(answer.headers['link']).toBe('</v2/many/tags/tags/list?n=1000&last=t0999>; rel="next"');
  }
});
