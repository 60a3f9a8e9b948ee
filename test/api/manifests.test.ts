import { afterAll, beforeAll } from 'vitest';
import { IMAGE, image, type Row, testRows } from '../support/api-table.ts';
import { openFixture, type RegistryFixture } from '../support/test-registry.ts';

let fixture: RegistryFixture;

beforeAll(async () => {
  fixture = await openFixture({ MANIFEST_MAX_BYTES: '4096' });
});

afterAll(() => fixture?.close());

const PUT = 'PUT /v2/REPO/manifests/';
const GET = 'GET /v2/REPO/manifests/';
const OCI = 'application/vnd.oci.image.manifest.v1+json';
const INDEX = 'application/vnd.oci.image.index.v1+json';
const ARTIFACT = 'application/vnd.oci.artifact.manifest.v1+json';
const DOCKER = 'application/vnd.docker.distribution.manifest.v2+json';
const LIST = 'application/vnd.docker.distribution.manifest.list.v2+json';
const IS_NOT_STORED = { request: `${GET}v1`, status: 404, code: 'MANIFEST_UNKNOWN' };

function type(mediaType: string) {
  return { 'Content-Type': mediaType };
}

function list(mediaType: string, child: string, childType = OCI): string {
  const manifests = [{ mediaType: childType, digest: child, size: 11 }];
  return JSON.stringify({ schemaVersion: 2, mediaType, manifests });
}

/** Stored by tag and by digest, and given back byte by byte. */
function stored(
  mediaType: string,
  body: string,
  note: string,
  headers: Record<string, string> = type(mediaType),
): Row[] {
  const caching = { 'cache-control': 'max-age=31536000, immutable', etag: '"SHA256_OF_BODY"' };
  const given = 'an image';
  const back = (reference: string, answer: Record<string, string>) => ({
    request: `${GET}${reference}`,
    // The words that stand for the body's digest are filled in from it.
    body,
    status: 200,
    answer: { 'content-type': mediaType, 'docker-content-digest': 'SHA256_OF_BODY', ...answer },
    content: body,
  });
  const put = {
    given,
    note,
    headers,
    body,
    status: 201,
    answer: {
      location: '/v2/REPO/manifests/SHA256_OF_BODY',
      'docker-content-digest': 'SHA256_OF_BODY',
      'oci-subject': undefined,
    },
  } as const;
  return [
    { ...put, request: `${PUT}v2`, after: [back('v2', { 'cache-control': 'no-cache' })] },
    { ...put, request: `${PUT}SHA256_OF_BODY`, after: [back('SHA256_OF_BODY', caching)] },
  ];
}

const DOCKER_IMAGE = image('BLOB').replace(OCI, DOCKER);
const ODD = `\n\t${IMAGE.replaceAll(',', ' ,\r\n\t').replaceAll(':{', ' :  { ')}\n\n`;
const FOREIGN = 'application/vnd.docker.image.rootfs.foreign.diff.tar.gzip';
const NONDISTRIBUTABLE = 'application/vnd.oci.image.layer.nondistributable.v1.tar+gzip';
const LAYER = 'application/vnd.oci.image.layer.v1.tar';

const KINDS: Row[] = [
  ...stored(OCI, image('BLOB', 'BLOB', { annotations: { a: 'b' } }), 'an OCI image'),
  ...stored(DOCKER, DOCKER_IMAGE, 'a Docker image'),
  ...stored(INDEX, list(INDEX, 'IMAGE'), 'an index'),
  ...stored(LIST, list(LIST, 'IMAGE', DOCKER), 'a Docker list'),
  ...stored(INDEX, JSON.stringify({ schemaVersion: 2, manifests: [] }), 'an empty index'),
  ...stored(INDEX, list(INDEX, 'BLOB', LAYER), 'an index of layers, as build caches'),
  ...stored(INDEX, list(INDEX, 'BLOB', 'a/b'), 'an index of what nobody knows'),
  ...stored(
    ARTIFACT,
    JSON.stringify({
      mediaType: ARTIFACT,
      artifactType: 'a/b',
      blobs: [{ mediaType: 'a/b', digest: 'BLOB', size: 11 }],
    }),
    'an artifact',
  ),
  ...stored(OCI, ODD, 'with odd whitespace'),
  ...stored(OCI, image('BLOB', 'BLOB', { unknown: { ünïcode: '💡' } }), 'with unknown fields'),
  ...stored(OCI, image('BLOB', 'ABSENT').replace(LAYER, FOREIGN), 'with a foreign layer'),
  ...stored(OCI, image('BLOB', 'ABSENT').replace(LAYER, NONDISTRIBUTABLE), 'non-distributable'),
  ...stored(OCI, `${IMAGE} `, 'Content-Type with parameters', type(`${OCI}; charset=utf-8`)),
  ...stored(OCI, `${IMAGE}  `, 'Content-Type application/json', type('application/json')),
  ...stored(OCI, `${IMAGE}   `, 'without Content-Type', {}),
];

const REFUSED: Row[] = [
  ['not JSON', 'hello', OCI],
  ['broken JSON', '{"schemaVersion":2', OCI],
  ['an array', '[]', OCI],
  ['null', 'null', OCI],
  ['nothing', '', OCI],
  ['of schema 1', '{"schemaVersion":1}', 'application/vnd.docker.distribution.manifest.v1+json'],
  ['of another type than announced', IMAGE, DOCKER],
  ['of an unknown type', '{"schemaVersion":2}', 'application/x-unknown'],
  ['without layers', '{"schemaVersion":2,"config":{}}', OCI],
  ['without schemaVersion', IMAGE.replace('"schemaVersion":2,', ''), OCI],
  ['with a malformed digest', image('sha256:123'), OCI],
  ['with a negative size', IMAGE.replace('"size":11', '"size":-1'), OCI],
  ['an index without manifests', '{"schemaVersion":2}', INDEX],
].map(([note = '', body = '', mediaType = '']) => ({
  request: `${PUT}v1`,
  given: 'a blob',
  note,
  headers: type(mediaType),
  body,
  status: 400,
  code: 'MANIFEST_INVALID',
  after: [IS_NOT_STORED],
}));

const MISSING: Row[] = [
  ['a config that is missing', image('ABSENT', 'BLOB'), OCI],
  ['a layer that is missing', image('BLOB', 'ABSENT'), OCI],
  ['a blob as child', list(INDEX, 'BLOB'), INDEX],
  ['a child that is missing', list(INDEX, 'ABSENT'), INDEX],
  ['a layer in an index that is missing', list(INDEX, 'ABSENT', LAYER), INDEX],
].map(([note = '', body = '', mediaType = '']) => ({
  request: `${PUT}v1`,
  given: 'a blob',
  note,
  headers: type(mediaType),
  body,
  status: 400,
  code: 'MANIFEST_BLOB_UNKNOWN',
  after: [IS_NOT_STORED],
}));

const BIG = image('BLOB', 'BLOB', { annotations: { filler: 'x'.repeat(4096) } });
const SIZES: Row[] = [false, true].map((isChunked) => ({
  request: `${PUT}v1`,
  given: 'a blob',
  note: `too large${isChunked ? ', chunked' : ''}`,
  isChunked,
  headers: type(OCI),
  body: BIG,
  status: 413,
  code: 'SIZE_INVALID',
  after: [IS_NOT_STORED],
}));

const DIGESTS: Row[] = [
  {
    request: `${PUT}SHA512_OF_BODY`,
    given: 'a blob',
    headers: type(OCI),
    body: IMAGE,
    status: 201,
    answer: { 'docker-content-digest': 'SHA512_OF_BODY' },
    after: [
      { request: `${GET}SHA512_OF_BODY`, body: IMAGE, status: 200, content: IMAGE },
      { request: `${GET}SHA256_OF_BODY`, body: IMAGE, status: 404, code: 'MANIFEST_UNKNOWN' },
    ],
  },
  {
    request: `${PUT}ABSENT`,
    given: 'a blob',
    headers: type(OCI),
    body: IMAGE,
    status: 400,
    code: 'DIGEST_INVALID',
    after: [{ request: `${GET}ABSENT`, status: 404, code: 'MANIFEST_UNKNOWN' }],
  },
];

/** Each has 128 characters, and eleven more in its line. */
function longTags(count: number): string {
  return Array.from({ length: count }, (_, n) => `tag=${String(n).padEnd(128, 'x')}`).join('&');
}

const TAGS: Row[] = [
  {
    request: `${PUT}SHA256_OF_BODY?tag=a&tag=b`,
    given: 'a blob',
    headers: type(OCI),
    body: IMAGE,
    status: 201,
    answer: { 'oci-tag': 'a, b' },
    after: [
      { request: `${GET}a`, status: 200, content: IMAGE },
      { request: `${GET}b`, status: 200, content: IMAGE },
    ],
  },
  {
    request: `${PUT}SHA256_OF_BODY?tag=a&tag=v1`,
    given: 'an image',
    note: 'all or nothing',
    headers: type(OCI),
    body: `${IMAGE} `,
    status: 409,
    code: 'TAG_INVALID',
    after: [
      { request: `${GET}a`, status: 404, code: 'MANIFEST_UNKNOWN' },
      { request: `${GET}v1`, status: 200, content: IMAGE },
      { request: `${GET}SHA256_OF_BODY`, body: `${IMAGE} `, status: 404, code: 'MANIFEST_UNKNOWN' },
    ],
  },
  {
    request: `${PUT}SHA256_OF_BODY?${longTags(57)}`,
    given: 'a blob',
    headers: type(OCI),
    body: IMAGE,
    status: 201,
  },
  {
    request: `${PUT}SHA256_OF_BODY?${longTags(58)}`,
    given: 'a blob',
    note: 'more than fit into the headers of the answer',
    headers: type(OCI),
    body: IMAGE,
    status: 414,
    code: 'SIZE_INVALID',
    after: [
      { request: `${GET}SHA256_OF_BODY`, body: IMAGE, status: 404, code: 'MANIFEST_UNKNOWN' },
    ],
  },
  ...['-a', '.a', 'a%20b', 'a'.repeat(129), 'ü', '%00', '%zz'].flatMap((tag): Row[] => [
    {
      request: `${PUT}SHA256_OF_BODY?tag=${encodeURI(tag)}&tag=ok`.replaceAll('%25', '%'),
      given: 'a blob',
      headers: type(OCI),
      body: IMAGE,
      status: 400,
      code: 'TAG_INVALID',
      after: [{ request: `${GET}ok`, status: 404, code: 'MANIFEST_UNKNOWN' }],
    },
  ]),
  ...['-a', '.a', 'a%20b', 'a'.repeat(129), '%00'].flatMap((tag): Row[] => [
    { request: `${GET}${tag}`, given: 'an image', status: 404, code: 'MANIFEST_UNKNOWN' },
    {
      request: `${PUT}${tag}`,
      given: 'a blob',
      headers: type(OCI),
      body: IMAGE,
      status: 400,
      code: 'TAG_INVALID',
    },
  ]),
];

const READ: Row[] = [
  { request: `${GET}v1`, given: 'an image', note: 'Accept */*', status: 200, content: IMAGE },
  { request: `${GET}v1`, given: 'an image', headers: { Accept: 'text/html' }, status: 200 },
  { request: `${GET}v2`, given: 'an image', status: 404, code: 'MANIFEST_UNKNOWN' },
  { request: `${GET}ABSENT`, given: 'an image', status: 404, code: 'MANIFEST_UNKNOWN' },
  { request: `${GET}v1`, status: 404, code: 'MANIFEST_UNKNOWN' },
  {
    request: `${GET}v1`,
    given: 'an image',
    headers: { 'If-None-Match': '"IMAGE"' },
    status: 304,
    answer: { etag: '"IMAGE"', 'docker-content-digest': 'IMAGE' },
    content: '',
  },
  ...['v1', 'IMAGE'].map(
    (reference): Row => ({
      request: `DELETE /v2/REPO/manifests/${reference}`,
      given: 'an image',
      status: 405,
      code: 'UNSUPPORTED',
      answer: { allow: 'GET, HEAD, PUT' },
      after: [{ request: `${GET}v1`, status: 200, content: IMAGE }],
    }),
  ),
];

testRows(
  [...KINDS, ...REFUSED, ...MISSING, ...SIZES, ...DIGESTS, ...TAGS, ...READ],
  () => fixture.registry.api,
);
