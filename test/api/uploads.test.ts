import { afterAll, beforeAll } from 'vitest';
import { BLOB, type Row, testRows } from '../support/api-table.ts';
import { openFixture, type RegistryFixture } from '../support/test-registry.ts';

let fixture: RegistryFixture;

beforeAll(async () => {
  fixture = await openFixture();
});

afterAll(() => fixture?.close());

const UPLOADS = '/v2/REPO/blobs/uploads/';
const UPLOAD = '/v2/REPO/blobs/uploads/UPLOAD';
const LOCATION = /^\/v2\/team\/artifact-\d+\/blobs\/uploads\/[0-9a-f-]{36}$/;
const CREATED = { location: '/v2/REPO/blobs/BLOB', 'docker-content-digest': 'BLOB' };
const IS_STORED = { request: 'GET /v2/REPO/blobs/BLOB', status: 200, content: BLOB };
const IS_NOT_STORED = { request: 'GET /v2/REPO/blobs/BLOB', status: 404, code: 'BLOB_UNKNOWN' };
const IS_GONE = { request: `GET ${UPLOAD}`, status: 404, code: 'BLOB_UPLOAD_UNKNOWN' };

/** The upload has so many bytes, and can be completed. */
function goesOn(offset: number) {
  const rest = BLOB.slice(offset);
  const range = { range: `0-${Math.max(0, offset - 1)}`, location: UPLOAD };
  return [
    { request: `GET ${UPLOAD}`, status: 204, answer: range },
    { request: `PUT ${UPLOAD}?digest=BLOB`, body: rest, status: 201, answer: CREATED },
    IS_STORED,
  ];
}

const START: Row[] = [
  {
    request: `POST ${UPLOADS}`,
    status: 202,
    answer: { location: LOCATION, range: '0-0', 'docker-upload-uuid': /^[0-9a-f-]{36}$/ },
  },
  { request: 'POST /v2/REPO/blobs/uploads', status: 202, answer: { location: LOCATION } },
  { request: `POST ${UPLOADS}?digest-algorithm=sha512`, status: 202, answer: { range: '0-0' } },
  { request: `POST ${UPLOADS}?digest-algorithm=md5`, status: 400, code: 'DIGEST_INVALID' },
  {
    request: `POST ${UPLOADS}?digest=BLOB`,
    body: BLOB,
    status: 201,
    answer: CREATED,
    after: [IS_STORED],
  },
  {
    request: `POST ${UPLOADS}?digest=BLOB`,
    note: 'chunked',
    body: BLOB,
    isChunked: true,
    status: 201,
    after: [IS_STORED],
  },
  {
    request: `POST ${UPLOADS}?digest=BLOB512`,
    body: BLOB,
    status: 201,
    after: [{ request: 'GET /v2/REPO/blobs/BLOB512', status: 200, content: BLOB }],
  },
  {
    request: `POST ${UPLOADS}?digest=BLOB`,
    note: 'with other bytes',
    body: 'hello',
    status: 400,
    code: 'DIGEST_INVALID',
    after: [IS_NOT_STORED],
  },
  { request: `POST ${UPLOADS}?digest=`, body: BLOB, status: 400, code: 'DIGEST_INVALID' },
  { request: `GET ${UPLOADS}`, status: 405, code: 'UNSUPPORTED', answer: { allow: 'POST' } },
  { request: `DELETE ${UPLOADS}`, status: 405, code: 'UNSUPPORTED', answer: { allow: 'POST' } },
];

const MOUNT: Row[] = [
  {
    request: `POST ${UPLOADS}?mount=BLOB&from=OTHER`,
    given: 'a blob in OTHER',
    status: 201,
    answer: CREATED,
    after: [IS_STORED],
  },
  {
    request: `POST ${UPLOADS}?from=OTHER&mount=BLOB&origin=x`,
    given: 'a blob in OTHER',
    status: 201,
  },
  { request: `POST ${UPLOADS}?mount=BLOB&from=OTHER`, status: 202, answer: { location: LOCATION } },
  { request: `POST ${UPLOADS}?mount=BLOB`, given: 'a blob in OTHER', status: 202 },
  { request: `POST ${UPLOADS}?mount=BLOB&from=`, given: 'a blob in OTHER', status: 202 },
  { request: `POST ${UPLOADS}?mount=BLOB&from=No_Name`, given: 'a blob in OTHER', status: 202 },
  { request: `POST ${UPLOADS}?mount=ABSENT&from=OTHER`, given: 'a blob in OTHER', status: 202 },
  { request: `POST ${UPLOADS}?mount=sha256:1&from=OTHER`, status: 400, code: 'DIGEST_INVALID' },
];

const STATUS_AND_CANCEL: Row[] = [
  {
    request: `GET ${UPLOAD}`,
    given: 'an upload',
    status: 204,
    answer: { location: UPLOAD, range: '0-0' },
  },
  {
    request: `GET ${UPLOAD}`,
    given: 'an upload of 5 bytes',
    status: 204,
    answer: { range: '0-4' },
  },
  {
    request: `GET ${UPLOAD}`,
    given: 'a finished upload',
    status: 404,
    code: 'BLOB_UPLOAD_UNKNOWN',
  },
  {
    request: `DELETE ${UPLOAD}`,
    given: 'an upload of 5 bytes',
    status: 204,
    after: [IS_GONE, { request: `DELETE ${UPLOAD}`, status: 404, code: 'BLOB_UPLOAD_UNKNOWN' }],
  },
  {
    request: `DELETE ${UPLOAD}`,
    given: 'a finished upload',
    status: 404,
    code: 'BLOB_UPLOAD_UNKNOWN',
    after: [IS_STORED],
  },
  {
    request: `POST ${UPLOAD}`,
    given: 'an upload',
    status: 405,
    code: 'UNSUPPORTED',
    answer: { allow: 'GET, HEAD, PATCH, PUT, DELETE' },
  },
];

/** Ids that name no upload of REPO. */
const FOREIGN: Row[] = [
  'foreign',
  '00000000-0000-4000-8000-000000000000',
  'UPLOADx',
  '%00',
  "'%20or%201=1",
].flatMap((id) =>
  ['GET', 'PATCH', 'PUT', 'DELETE'].map(
    (method): Row => ({
      request: `${method} ${UPLOADS}${id}${method === 'PUT' ? '?digest=BLOB' : ''}`,
      given: 'an upload',
      body: method === 'PATCH' ? BLOB : '',
      status: 404,
      code: 'BLOB_UPLOAD_UNKNOWN',
      after: goesOn(0),
    }),
  ),
);

/** The upload is another repository's. */
const ELSEWHERE: Row[] = ['GET', 'PATCH', 'PUT', 'DELETE'].map((method) => ({
  request: `${method} /v2/OTHER/blobs/uploads/UPLOAD${method === 'PUT' ? '?digest=BLOB' : ''}`,
  given: 'an upload of 5 bytes',
  body: method === 'PATCH' || method === 'PUT' ? ' world' : '',
  status: 404,
  code: 'BLOB_UPLOAD_UNKNOWN',
  after: goesOn(5),
}));

testRows(
  [...START, ...MOUNT, ...STATUS_AND_CANCEL, ...FOREIGN, ...ELSEWHERE],
  () => fixture.registry.api,
);
