import { afterAll, beforeAll } from 'vitest';
import {
  goesOn,
  MALFORMED_DIGEST,
  NO_MANIFEST,
  NO_REPOSITORY,
  NO_SUCH_PATH,
  notAllowed,
  UPLOAD,
} from '../support/api-expectations.ts';
import { type Row, testRows } from '../support/api-table.ts';
import { digestOf } from '../support/sample-content.ts';
import { openFixture, type RegistryFixture } from '../support/test-registry.ts';

let fixture: RegistryFixture;

beforeAll(async () => {
  fixture = await openFixture();
});

afterAll(() => fixture?.close());

const DIGEST = digestOf('any');

const BASE: Row[] = [
  { request: 'GET /v2/', status: 200 },
  { request: 'GET /v2', status: 200 },
  ...['DELETE', 'PUT', 'POST', 'PATCH'].map(
    (method): Row => ({ request: `${method} /v2/`, ...notAllowed('GET, HEAD') }),
  ),
];

const NO_PATHS: Row[] = [
  '/v2/x',
  '/v2/a/b',
  '/v2/a/b/tags',
  '/v2/a/b/tags/x',
  '/v2/%zz/b/tags/list',
].map((path) => ({ request: `GET ${path}`, ...NO_SUCH_PATH }));

const REQUEST_IDS: Row[] = [
  ['trace-1', 'trace-1'],
  ['a'.repeat(200), 'a'.repeat(128)],
  ['', /^[0-9a-f]{8}-\d+$/],
  ['a\tb', /^[0-9a-f]{8}-\d+$/],
  ['a"b', /^[0-9a-f]{8}-\d+$/],
  ['a\\b', /^[0-9a-f]{8}-\d+$/],
  ['\u00ff', /^[0-9a-f]{8}-\d+$/],
].map(
  ([sent, given]): Row => ({
    request: 'GET /v2/x',
    headers: { 'X-Request-Id': String(sent) },
    ...NO_SUCH_PATH,
    answer: { 'x-request-id': given },
  }),
);

const BAD_NAMES: Row[] = [
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
  'team/%C3%BC',
  `team/${'a'.repeat(251)}`,
].flatMap((name): Row[] =>
  [
    `GET /v2/${name}/tags/list`,
    `GET /v2/${name}/manifests/v1`,
    `PUT /v2/${name}/manifests/v1`,
    `GET /v2/${name}/blobs/${DIGEST}`,
    `POST /v2/${name}/blobs/uploads/`,
    `GET /v2/${name}/referrers/${DIGEST}`,
    `POST /v2/${name}/blobs/uploads/?digest=${DIGEST}`,
    `PATCH /v2/${name}/blobs/uploads/00000000-0000-4000-8000-000000000000`,
  ].map((request) => ({ request, status: 400, code: 'NAME_INVALID', says: explanation(name) })),
);

/** Each says what a name looks like; one segment, how to complete it. */
function explanation(name: string): RegExp {
  if (name.length > 255) return /^a repository name has at most 255 characters, this one has \d+$/;
  if (name === 'one') return /put the name of your team in front, as in my-team\/one$/;
  return /^a repository is named TEAM\/ARTIFACT; each segment has lower-case letters and digits/;
}

const GOOD_NAMES: Row[] = [
  'a/b',
  '0/1',
  'team/a.b',
  'team/a_b',
  'team/a__b',
  'team/a---b',
  'a-b.c_d/e/f/g/h',
  `team/${'a'.repeat(250)}`,
].flatMap((name): Row[] => [
  { request: `POST /v2/${name}/blobs/uploads/`, status: 202 },
  { request: `GET /v2/${name}/tags/list`, ...NO_REPOSITORY },
]);

const SEGMENTS: Row[] = ['blobs', 'manifests', 'tags', 'uploads', 'referrers'].flatMap((word) => [
  { request: `POST /v2/${word}/${word}/blobs/uploads/`, status: 202 },
  { request: `GET /v2/${word}/${word}/manifests/v1`, ...NO_MANIFEST },
  { request: `GET /v2/team/${word}/tags/list`, ...NO_REPOSITORY },
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
const DIGESTS: Row[] = MALFORMED_DIGESTS.flatMap((digest): Row[] => [
  ...[
    `GET /v2/a/a/blobs/${digest}`,
    `GET /v2/a/a/manifests/${digest}`,
    `PUT /v2/a/a/manifests/${digest}`,
    `GET /v2/a/a/referrers/${digest}`,
    `POST /v2/a/a/blobs/uploads/?digest=${digest}`,
    `POST /v2/a/a/blobs/uploads/?mount=${digest}&from=a/b`,
  ].map((request): Row => ({ request, ...MALFORMED_DIGEST })),
  {
    request: `PUT ${UPLOAD}?digest=${digest}`,
    given: 'an upload of 5 bytes',
    ...MALFORMED_DIGEST,
    after: goesOn(5),
  },
]);

testRows(
  {
    'end-1: GET, HEAD /v2/': BASE,
    'a path that is none': NO_PATHS,
    'an error has the X-Request-Id of its request, if it can stand in a header': REQUEST_IDS,
    'NAME is [a-z0-9]+((\\.|_|__|-+)[a-z0-9]+)*(/…)*, of two segments at least': BAD_NAMES,
    'NAME: what is allowed': GOOD_NAMES,
    'a segment of NAME may be a word of the paths': SEGMENTS,
    'a malformed or unsupported digest is 400': DIGESTS,
  },
  () => fixture,
);
