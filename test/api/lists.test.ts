import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Row, testRows } from '../support/api-table.ts';
import type { HttpClient } from '../support/http-client.ts';
import { JsonValue } from '../support/json.ts';
import {
  descriptor,
  digestOf,
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

const LISTS: Row[] = [
  tagsPage('', TAGS),
  tagsPage('?n=2', ['0.9', '1.0'], '?n=2&last=1.0'),
  tagsPage('?n=2&last=1.0', ['A', 'B'], '?n=2&last=B'),
  tagsPage('?last=A0', TAGS.slice(3)),
  tagsPage('?n=9', TAGS),
  tagsPage('?n=100', TAGS),
  tagsPage('?n=2000', TAGS),
  tagsPage('?n=99999999999999999999', TAGS),
  tagsPage('?n=0', []),
  tagsPage('?last=b', []),
  catalogPage('', REPOSITORIES),
  catalogPage('?n=2', ['a/a', 'a/b'], '?n=2&last=a%2Fb'),
  catalogPage('?n=2&last=a%2Fb', ['a/b-c', 'a/b/c'], '?n=2&last=a%2Fb%2Fc'),
  catalogPage('?n=2&last=a/b/c', ['b/a']),
  catalogPage('?n=0', []),
  catalogPage('?last=zzz', []),
  page('/v2/only/blobs/tags/list', { name: 'only/blobs', tags: [] }),
  { request: 'GET /v2/un/known/tags/list', status: 404, code: 'NAME_UNKNOWN' },
  ...['-1', 'x', '1.5'].flatMap((n): Row[] => [
    { request: `GET /v2/a/a/tags/list?n=${n}`, status: 400, code: 'UNSUPPORTED' },
    { request: `GET /v2/_catalog?n=${n}`, status: 400, code: 'UNSUPPORTED' },
  ]),
  ...['/v2/a/a/tags/list', '/v2/_catalog', '/v2/', `/v2/a/a/referrers/${IMAGE.digest}`].map(
    (path): Row => ({
      request: `DELETE ${path}`,
      status: 405,
      code: 'UNSUPPORTED',
      answer: { allow: 'GET, HEAD' },
    }),
  ),
];

const BASE: Row[] = [
  { request: 'GET /v2/', status: 200 },
  { request: 'GET /v2', status: 200 },
  ...['/', '/v2/x', '/v2/a/b', '/v2/a/b/tags', '/v2/a/b/tags/x', '/v3/', '/v2/%zz/b/tags/list'].map(
    (path): Row => ({ request: `GET ${path}`, status: 404, code: 'UNSUPPORTED' }),
  ),
];

/** An error has the id that its client gave the request, unless that can't stand in a header and a log line. */
const REQUEST_IDS: Row[] = [
  ['trace-1', 'trace-1'],
  ['a'.repeat(200), 'a'.repeat(128)],
  ['', /^[0-9a-f]{8}-\d+$/],
  ['a\tb', /^[0-9a-f]{8}-\d+$/],
  ['\u00ff', /^[0-9a-f]{8}-\d+$/],
].map(
  ([sent, given]): Row => ({
    request: 'GET /v3/',
    headers: { 'X-Request-Id': String(sent) },
    status: 404,
    code: 'UNSUPPORTED',
    answer: { 'x-request-id': given },
  }),
);

const NAMES: Row[] = [
  'one',
  'Team/artifact',
  'team/Artifact',
  'team/.artifact',
  'team/artifact-',
  'team/a..b',
  'team/a___b',
  'team//artifact',
  'te%20am/artifact',
  'team/%00',
  'team/ü'.replace('ü', '%C3%BC'),
  `team/${'a'.repeat(251)}`,
].flatMap((name): Row[] =>
  [
    `GET /v2/${name}/tags/list`,
    `GET /v2/${name}/manifests/v1`,
    `PUT /v2/${name}/manifests/v1`,
    `GET /v2/${name}/blobs/${IMAGE.digest}`,
    `POST /v2/${name}/blobs/uploads/`,
    `GET /v2/${name}/referrers/${IMAGE.digest}`,
  ].map((request) => ({ request, status: 400, code: 'NAME_INVALID' })),
);

const SEGMENTS: Row[] = ['blobs', 'manifests', 'tags', 'uploads', 'referrers'].flatMap((word) => [
  { request: `POST /v2/${word}/${word}/blobs/uploads/`, status: 202 },
  { request: `GET /v2/${word}/${word}/manifests/v1`, status: 404, code: 'MANIFEST_UNKNOWN' },
  { request: `GET /v2/team/${word}/tags/list`, status: 404, code: 'NAME_UNKNOWN' },
]);

const HEX = 'a'.repeat(64);
const MALFORMED_DIGESTS = [
  'sha256:',
  'sha256:a',
  `sha256:${HEX}a`,
  `sha256:${HEX.slice(1)}`,
  `sha256:${HEX.toUpperCase()}`,
  `sha256:${HEX.slice(1)}g`,
  `SHA256:${HEX}`,
  `sha512:${HEX}`,
  `sha384:${HEX}`,
  `md5:${'a'.repeat(32)}`,
  `:${HEX}`,
  ':',
  `sha256::${HEX}`,
  `sha256:${HEX}:x`,
  `sha256:%20${HEX}`,
  `sha256:${HEX}%0A`,
  'sha256:%00',
  `sha256:${HEX.slice(1)}%00`,
  'sha256:..',
  `sha256+b64:${HEX}`,
  `sha256:${'a'.repeat(4000)}`,
];
const DIGESTS: Row[] = MALFORMED_DIGESTS.flatMap((digest): Row[] =>
  [
    `GET /v2/a/a/blobs/${digest}`,
    `GET /v2/a/a/manifests/${digest}`,
    `PUT /v2/a/a/manifests/${digest}`,
    `GET /v2/a/a/referrers/${digest}`,
    `POST /v2/a/a/blobs/uploads/?digest=${digest}`,
    `POST /v2/a/a/blobs/uploads/?mount=${digest}&from=a/b`,
  ].map((request) => ({ request, status: 400, code: 'DIGEST_INVALID' })),
);

testRows([...LISTS, ...BASE, ...REQUEST_IDS, ...NAMES, ...SEGMENTS, ...DIGESTS], () => api);

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

test('a manifest of 4 MiB is accepted, and one byte more is not', async () => {
  const filled = (bytes: number) => {
    const empty = imageOf(CONFIG).bytes.length;
    return imageOf(CONFIG, [], 'x'.repeat(bytes - empty));
  };
  const largest = filled(4 * 1024 * 1024);
  await expectStatus(putManifest(api, 'a/a', largest.digest, largest), 201);
  const { body } = await api.send('GET', `/v2/a/a/manifests/${largest.digest}`);
  expect(body.equals(largest.bytes)).toBe(true);
  const larger = filled(4 * 1024 * 1024 + 1);
  await expectStatus(putManifest(api, 'a/a', larger.digest, larger), 413);
});

// PostgreSQL's text and jsonb can't hold every string that JSON and URLs can.
test.each([
  ['tags/list?last=%00', () => api.send('GET', '/v2/a/a/tags/list?last=%00')],
  ['_catalog?last=%00', () => api.send('GET', '/v2/_catalog?last=%00')],
  ['_catalog?last=%FF', () => api.send('GET', '/v2/_catalog?last=%FF')],
  ['an annotation with U+0000', () => pushAnnotated({ annotations: { note: 'a\u0000b' } })],
  ['an annotation with half a pair', () => pushAnnotated({ annotations: { note: '\ud800' } })],
  ['an artifactType with U+0000', () => pushAnnotated({ artifactType: 'a\u0000b' })],
])('%s is no reason for a 5xx', async (_, ask) => {
  expect((await ask()).status).toBeLessThan(500);
});

function pushAnnotated(extra: object) {
  const document = { ...JSON.parse(IMAGE.bytes.toString()), ...extra };
  const manifest = sampleOf(Buffer.from(JSON.stringify(document)));
  return putManifest(api, 'a/a', manifest.digest, manifest);
}

function referring(subject: Sample, extra: object): Sample {
  const document = {
    schemaVersion: 2,
    mediaType: OCI_MANIFEST,
    config: descriptor('application/x-config', CONFIG),
    layers: [],
    subject: descriptor(OCI_MANIFEST, subject),
    ...extra,
  };
  return sampleOf(Buffer.from(JSON.stringify(document)));
}

test('referrers are listed by their subject, which need not exist', async () => {
  const subject = imageOf(CONFIG, [], 'not pushed');
  const annotations = { a: 'b' };
  const byType = referring(subject, { artifactType: 'application/x-signature', annotations });
  const byConfig = referring(subject, {});
  const index = sampleOf(
    Buffer.from(
      JSON.stringify({
        ...JSON.parse(indexOf([IMAGE]).bytes.toString()),
        annotations,
        subject: descriptor(OCI_MANIFEST, subject),
      }),
    ),
  );
  for (const [manifest, type] of [
    [byType, OCI_MANIFEST],
    [byConfig, OCI_MANIFEST],
    [index, OCI_INDEX],
  ] as const) {
    const answer = await putManifest(api, 'a/a', manifest.digest, manifest, type);
    expect(answer).toMatchObject({ status: 201, headers: { 'oci-subject': subject.digest } });
  }
  const signature = descriptor(OCI_MANIFEST, byType, {
    artifactType: 'application/x-signature',
    annotations,
  });
  const path = `/v2/a/a/referrers/${subject.digest}`;
  expect(await listed(path)).toEqual([
    signature,
    descriptor(OCI_MANIFEST, byConfig, { artifactType: 'application/x-config' }),
    descriptor(OCI_INDEX, index, { annotations }),
  ]);
  const filtered = await api.send('GET', `${path}?artifactType=application%2Fx-signature`);
  expect(filtered.headers['oci-filters-applied']).toBe('artifactType');
  expect(JSON.parse(filtered.body.toString())).toMatchObject({ manifests: [signature] });
  expect(await listed(`${path}?artifactType=application%2Fother`)).toEqual([]);
  const head = await api.send('HEAD', path);
  expect(head).toMatchObject({ status: 200, headers: { 'content-type': OCI_INDEX } });
});

test('many referrers come in pages, each of them once and in their order', async () => {
  const subject = imageOf(CONFIG, [], 'a subject of many');
  const annotations = { large: 'x'.repeat(3_000_000) };
  const pushed: string[] = [];
  for (let number = 0; number < 6; number += 1) {
    const manifest = referring(subject, { annotations, artifactType: `application/x-${number}` });
    await expectStatus(putManifest(api, 'a/a', manifest.digest, manifest), 201);
    pushed.push(manifest.digest);
  }
  const seen: string[] = [];
  let pages = 0;
  for (let path: string | undefined = `/v2/a/a/referrers/${subject.digest}`; path; pages += 1) {
    const answer = await api.send('GET', path);
    expect(answer.status).toBe(200);
    const index: { manifests: { digest: string }[] } = JSON.parse(answer.body.toString());
    seen.push(...index.manifests.map(({ digest }) => digest));
    path = /^<(.*)>; rel="next"$/.exec(answer.headers['link'] ?? '')?.[1];
  }
  expect(seen).toEqual(pushed);
  expect(pages).toBe(3);
});

test('a digest without referrers, and an unknown repository, have an empty index', async () => {
  for (const repository of ['a/a', 'un/known']) {
    expect(await listed(`/v2/${repository}/referrers/${digestOf('nobody')}`)).toEqual([]);
  }
});

async function listed(path: string): Promise<unknown> {
  const answer = await api.send('GET', path);
  expect(answer).toMatchObject({ status: 200, headers: { 'content-type': OCI_INDEX } });
  const index: unknown = JSON.parse(answer.body.toString());
  expect(index).toMatchObject({ schemaVersion: 2, mediaType: OCI_INDEX });
  return typeof index === 'object' && index && 'manifests' in index ? index.manifests : undefined;
}
