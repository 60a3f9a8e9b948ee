import { afterAll, beforeAll } from 'vitest';
import { NO_MANIFEST, notAllowed } from '../support/api-expectations.ts';
import {
  IMAGE,
  INDEX_TYPE as INDEX,
  image,
  index,
  OCI_TYPE as OCI,
} from '../support/api-scenes.ts';
import { type Row, testRows } from '../support/api-table.ts';
import { digestOf } from '../support/sample-content.ts';
import { openFixture, type RegistryFixture } from '../support/test-registry.ts';

let fixture: RegistryFixture;

beforeAll(async () => {
  fixture = await openFixture();
});

afterAll(() => fixture?.close());

const PUT = 'PUT /v2/REPO/manifests/';
const GET = 'GET /v2/REPO/manifests/';
const ARTIFACT = 'application/vnd.oci.artifact.manifest.v1+json';
const DOCKER = 'application/vnd.docker.distribution.manifest.v2+json';
const LIST = 'application/vnd.docker.distribution.manifest.list.v2+json';

function type(mediaType: string) {
  return { 'Content-Type': mediaType };
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

const NO_BYTES = { mediaType: 'application/vnd.oci.empty.v1+json', digest: 'EMPTY', size: 0 };
const DATA = { mediaType: 'a/b', digest: 'BLOB', size: 11, data: 'aGVsbG8gd29ybGQ=' };

const KINDS: Row[] = [
  ...stored(OCI, image('BLOB', 'BLOB', { annotations: { a: 'b' } }), 'an OCI image'),
  ...stored(DOCKER, DOCKER_IMAGE, 'a Docker image'),
  ...stored(INDEX, index('IMAGE'), 'an index'),
  ...stored(LIST, index('IMAGE', DOCKER, LIST), 'a Docker list'),
  ...stored(INDEX, JSON.stringify({ schemaVersion: 2, manifests: [] }), 'an empty index'),
  ...stored(INDEX, index('BLOB', LAYER), 'an index of layers, as build caches'),
  ...stored(INDEX, index('BLOB', 'a/b'), 'an index of what nobody knows'),
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
  ...stored(OCI, image('BLOB', 'BLOB', { config: DATA }), 'with data in a descriptor'),
  ...stored(OCI, image('BLOB', 'BLOB', { layers: [] }), 'without layers'),
  ...stored(OCI, image('BLOB', 'BLOB', { layers: null }), 'with layers null, as Go writes it'),
  ...stored(OCI, image('BLOB', 'BLOB', { urls: ['x'], platform: {}, history: [1] }), 'with more'),
  ...stored(OCI, `${IMAGE} `, 'Content-Type with parameters', type(`${OCI}; charset=utf-8`)),
  ...stored(OCI, `${IMAGE}  `, 'Content-Type application/json', type('application/json')),
  ...stored(OCI, `${IMAGE}   `, 'without Content-Type', {}),
];

/** Indexes of indexes, blobs of zero bytes and blobs by sha512: what needs more than a blob and an image. */
const FURTHER: Row[] = [
  {
    request: `${PUT}top`,
    given: 'an index',
    note: 'a nested index',
    headers: type(INDEX),
    body: index('INDEX', INDEX),
    status: 201,
    after: [{ request: `${GET}top`, status: 200, content: index('INDEX', INDEX) }],
  },
  {
    request: `${PUT}v1`,
    given: 'an empty blob',
    note: 'of zero bytes',
    headers: type(OCI),
    body: JSON.stringify({ schemaVersion: 2, config: NO_BYTES, layers: [NO_BYTES] }),
    status: 201,
  },
  {
    request: `${PUT}v1`,
    note: 'with a sha512 layer',
    before: [
      {
        request: 'POST /v2/REPO/blobs/uploads/?digest=BLOB512',
        body: 'hello world',
        status: 201,
      },
    ],
    headers: type(OCI),
    body: image('BLOB512'),
    status: 201,
    after: [{ request: `${GET}v1`, status: 200, content: image('BLOB512') }],
  },
];

const SUBJECT = { mediaType: OCI, digest: 'ABSENT', size: 11 };
const OF_SHA512 = image('BLOB', 'BLOB', { subject: { ...SUBJECT, digest: 'BLOB512' } });
const SUBJECTS: Row[] = [
  {
    request: `${PUT}v1`,
    given: 'a blob',
    note: 'a subject that is not there yet',
    headers: type(OCI),
    body: image('BLOB', 'BLOB', { subject: SUBJECT }),
    status: 201,
    answer: { 'oci-subject': 'ABSENT' },
  },
  {
    request: `${PUT}v1`,
    given: 'a blob',
    note: 'a subject by sha512, and its referrers',
    headers: type(OCI),
    body: OF_SHA512,
    status: 201,
    answer: { 'oci-subject': 'BLOB512' },
    after: [
      {
        request: 'GET /v2/REPO/referrers/BLOB512',
        body: OF_SHA512,
        status: 200,
        content: {
          schemaVersion: 2,
          mediaType: INDEX,
          manifests: [
            {
              mediaType: OCI,
              digest: 'SHA256_OF_BODY',
              size: OF_SHA512.replaceAll('BLOB512', digestOf('', 'sha512')).replaceAll(
                'BLOB',
                digestOf(''),
              ).length,
              artifactType: 'application/vnd.oci.image.config.v1+json',
            },
          ],
        },
      },
    ],
  },
  {
    request: `${PUT}v2`,
    given: 'an image',
    note: 'a subject that is there, of an index',
    headers: type(INDEX),
    body: JSON.stringify({
      ...JSON.parse(index('IMAGE')),
      subject: { ...SUBJECT, digest: 'IMAGE' },
    }),
    status: 201,
    answer: { 'oci-subject': 'IMAGE' },
  },
];

const AS_PUSHED = {
  'content-type': OCI,
  'docker-content-digest': 'IMAGE',
  'content-encoding': undefined,
};
const READ: Row[] = [
  { request: `${GET}v1`, note: 'without Accept', headers: {} },
  ...['*/*', 'text/html', DOCKER, `${INDEX}, ${LIST}`].map((accept) => ({
    request: `${GET}v1`,
    note: `Accept ${accept}`,
    headers: { Accept: accept },
  })),
  { request: `${GET}v1`, note: 'never compressed', headers: { 'Accept-Encoding': 'gzip, br' } },
  { request: `${GET}IMAGE`, note: 'by digest', headers: {} },
].map((row) => ({ ...row, given: 'an image', status: 200, answer: AS_PUSHED, content: IMAGE }));

const UNKNOWN: Row[] = [
  {
    request: `${GET}v2`,
    given: 'an image',
    ...NO_MANIFEST,
    detail: { name: 'REPO', reference: 'v2' },
  },
  { request: `${GET}ABSENT`, given: 'an image', ...NO_MANIFEST },
  { request: `${GET}BLOB`, given: 'a blob', note: 'a blob is no manifest', ...NO_MANIFEST },
  { request: `${GET}v1`, note: 'no such repository', ...NO_MANIFEST },
  { request: `${GET}IMAGE`, given: 'an image in OTHER', ...NO_MANIFEST },
];

const METHODS: Row[] = ['DELETE', 'POST', 'PATCH', 'OPTIONS'].flatMap((method) =>
  ['v1', 'v2', 'IMAGE', 'ABSENT'].map(
    (reference): Row => ({
      request: `${method} /v2/REPO/manifests/${reference}`,
      given: 'an image',
      ...notAllowed(
        'GET, HEAD, PUT',
        method === 'DELETE' ? /^manifests and tags are never deleted/ : undefined,
      ),
      after: [{ request: `${GET}v1`, status: 200, content: IMAGE }],
    }),
  ),
);

testRows(
  {
    'end-7a: PUT /v2/NAME/manifests/REFERENCE keeps the bytes; end-3: GET gives them back': KINDS,
    'end-7a: indexes may be nested, blobs empty, digests sha512': FURTHER,
    'end-7a: a push with subject is answered by OCI-Subject': SUBJECTS,
    'end-3: GET, HEAD /v2/NAME/manifests/REFERENCE, whatever Accept says': READ,
    'end-3: 404 for what this repository does not have': UNKNOWN,
    'end-9: a manifest or tag is never deleted; 405 carries Allow': METHODS,
  },
  () => fixture,
);
