import { afterAll, beforeAll } from 'vitest';
import {
  CREATED,
  goesOn,
  IS_GONE,
  IS_NOT_STORED,
  IS_STORED,
  MALFORMED_DIGEST,
  MISSING_DIGEST,
  NO_REPOSITORY,
  NO_UPLOAD,
  notAllowed,
  UPLOAD,
  WRONG_DIGEST,
} from '../support/api-expectations.ts';
import { BLOB, UPLOADS } from '../support/api-scenes.ts';
import { type Expectation, type Row, testRows } from '../support/api-table.ts';
import { openFixture, type RegistryFixture } from '../support/test-registry.ts';

let fixture: RegistryFixture;

beforeAll(async () => {
  fixture = await openFixture();
});

afterAll(() => fixture?.close());

const LOCATION = /^\/v2\/team\/artifact-\d+\/blobs\/uploads\/[0-9a-f-]{36}$/;
const SESSION = {
  status: 202,
  answer: { location: LOCATION, range: '0-0', 'docker-upload-uuid': /^[0-9a-f-]{36}$/ },
};
const IS_STORED_AS_512: Expectation = {
  request: 'GET /v2/REPO/blobs/BLOB512',
  status: 200,
  answer: { 'docker-content-digest': 'BLOB512' },
  content: BLOB,
};

const START: Row[] = [
  { request: `POST ${UPLOADS}`, ...SESSION },
  { request: 'POST /v2/REPO/blobs/uploads', note: 'without the slash', ...SESSION },
  {
    request: `POST ${UPLOADS}`,
    note: 'a body that no digest announces is not taken',
    body: BLOB,
    ...SESSION,
  },
  {
    request: `POST ${UPLOADS}`,
    note: 'crane sends a Content-Type',
    headers: { 'Content-Type': 'application/json' },
    ...SESSION,
  },
  {
    request: `POST ${UPLOADS}`,
    note: 'an upload alone makes no repository',
    ...SESSION,
    after: [{ request: 'GET /v2/REPO/tags/list', ...NO_REPOSITORY }],
  },
  ...['GET', 'HEAD', 'PUT', 'PATCH', 'DELETE'].map(
    (method): Row => ({ request: `${method} ${UPLOADS}`, ...notAllowed('POST') }),
  ),
];

const WHOLE: Row[] = [
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
    request: `POST ${UPLOADS}?digest=EMPTY`,
    note: 'zero bytes',
    status: 201,
    answer: { 'docker-content-digest': 'EMPTY' },
    after: [{ request: 'GET /v2/REPO/blobs/EMPTY', status: 200, content: '' }],
  },
  {
    request: `POST ${UPLOADS}?digest=BLOB512`,
    body: BLOB,
    status: 201,
    after: [IS_STORED_AS_512],
  },
  {
    request: `POST ${UPLOADS}?digest=BLOB`,
    given: 'a blob',
    note: 'again',
    body: BLOB,
    status: 201,
    answer: CREATED,
    after: [IS_STORED],
  },
  ...['hello', `${BLOB}!`, ''].map(
    (body): Row => ({
      request: `POST ${UPLOADS}?digest=BLOB`,
      note: `with the bytes "${body}"`,
      body,
      ...WRONG_DIGEST,
      after: [IS_NOT_STORED],
    }),
  ),
  { request: `POST ${UPLOADS}?digest=`, body: BLOB, ...MISSING_DIGEST },
  {
    request: `POST ${UPLOADS}?digest=BLOB`,
    note: 'a committed blob makes the repository',
    body: BLOB,
    status: 201,
    after: [
      {
        request: 'GET /v2/REPO/tags/list',
        status: 200,
        content: { name: 'REPO', tags: [] },
      },
    ],
  },
];

const ALGORITHM: Row[] = [
  ...['sha256', 'sha512'].map(
    (name): Row => ({ request: `POST ${UPLOADS}?digest-algorithm=${name}`, ...SESSION }),
  ),
  {
    request: `POST ${UPLOADS}?digest-algorithm=sha512&digest=BLOB512`,
    body: BLOB,
    status: 201,
    after: [IS_STORED_AS_512],
  },
  {
    request: `PATCH ${UPLOAD}`,
    given: 'an upload by sha512',
    body: BLOB,
    status: 202,
    answer: { range: '0-10' },
    after: [{ request: `PUT ${UPLOAD}?digest=BLOB512`, status: 201 }, IS_STORED_AS_512],
  },
  {
    request: `PATCH ${UPLOAD}`,
    given: 'an upload by sha512',
    note: 'closed with another algorithm',
    headers: { 'Content-Range': '0-4' },
    body: 'hello',
    status: 202,
    answer: { range: '0-4' },
    after: goesOn(5),
  },
  ...['md5', 'SHA256', 'sha384', '', 'sha256%00'].map(
    (name): Row => ({
      request: `POST ${UPLOADS}?digest-algorithm=${name}`,
      status: 400,
      code: 'DIGEST_INVALID',
      says: /^unsupported digest-algorithm: use sha256 or sha512$/,
    }),
  ),
];

const given = 'a blob in OTHER';
const MOUNT: Row[] = [
  {
    request: `POST ${UPLOADS}?mount=BLOB&from=OTHER`,
    given,
    status: 201,
    answer: CREATED,
    after: [IS_STORED],
  },
  {
    request: `POST ${UPLOADS}?from=OTHER&mount=BLOB&origin=x`,
    given,
    note: 'as crane asks',
    status: 201,
  },
  {
    request: `POST ${UPLOADS}?mount=BLOB512&from=OTHER`,
    note: 'of a sha512',
    before: [{ request: 'POST /v2/OTHER/blobs/uploads/?digest=BLOB512', body: BLOB, status: 201 }],
    status: 201,
    after: [IS_STORED_AS_512],
  },
  {
    request: `POST ${UPLOADS}?mount=BLOB&from=REPO`,
    given: 'a blob',
    note: 'from itself',
    status: 201,
    after: [IS_STORED],
  },
  { request: `POST ${UPLOADS}?mount=BLOB&from=OTHER`, note: 'OTHER lacks it', ...SESSION },
  { request: `POST ${UPLOADS}?mount=BLOB`, given, ...SESSION, after: [IS_NOT_STORED] },
  { request: `POST ${UPLOADS}?mount=BLOB&from=`, given, ...SESSION },
  { request: `POST ${UPLOADS}?mount=BLOB&from=No_Name`, given, ...SESSION },
  { request: `POST ${UPLOADS}?mount=BLOB&from=one`, given, ...SESSION },
  { request: `POST ${UPLOADS}?mount=BLOB&from=un/known`, given, ...SESSION },
  { request: `POST ${UPLOADS}?mount=ABSENT&from=OTHER`, given, ...SESSION },
  { request: `POST ${UPLOADS}?from=OTHER`, given, ...SESSION },
  {
    request: `POST ${UPLOADS}?mount=BLOB&from=OTHER&digest=BLOB`,
    note: 'OTHER lacks it, and the whole blob is in the body',
    body: BLOB,
    status: 201,
    after: [IS_STORED],
  },
  { request: `POST ${UPLOADS}?mount=sha256:1&from=OTHER`, ...MALFORMED_DIGEST },
  { request: `POST ${UPLOADS}?mount=sha256:1`, note: 'nothing to mount from', ...SESSION },
];

const STATUS: Row[] = [
  {
    request: `GET ${UPLOAD}`,
    given: 'an upload',
    status: 204,
    answer: { location: UPLOAD, range: '0-0', 'docker-upload-uuid': 'UPLOAD' },
    content: '',
  },
  {
    request: `GET ${UPLOAD}`,
    given: 'an upload of 5 bytes',
    status: 204,
    answer: { location: UPLOAD, range: '0-4' },
    content: '',
  },
  { request: `GET ${UPLOAD}`, given: 'a finished upload', ...NO_UPLOAD },
  {
    request: `POST ${UPLOAD}`,
    given: 'an upload',
    ...notAllowed('GET, HEAD, PATCH, PUT, DELETE'),
    after: goesOn(0),
  },
];

const CANCEL: Row[] = [
  {
    request: `DELETE ${UPLOAD}`,
    given: 'an upload of 5 bytes',
    status: 204,
    after: [
      IS_GONE,
      { request: `DELETE ${UPLOAD}`, ...NO_UPLOAD },
      { request: `PATCH ${UPLOAD}`, body: 'x', ...NO_UPLOAD },
      { request: `PUT ${UPLOAD}?digest=BLOB`, body: BLOB, ...NO_UPLOAD },
      IS_NOT_STORED,
    ],
  },
  { request: `DELETE ${UPLOAD}`, given: 'a finished upload', ...NO_UPLOAD, after: [IS_STORED] },
];

/** Every request to an upload, with a body where it may have one. */
function eachMethod(path: string, body: string): Pick<Row, 'request' | 'body'>[] {
  return [
    { request: `GET ${path}` },
    { request: `PATCH ${path}`, body },
    { request: `PUT ${path}?digest=BLOB`, body },
    { request: `DELETE ${path}` },
  ];
}

const UNKNOWN: Row[] = [
  'foreign',
  '00000000-0000-4000-8000-000000000000',
  'UPLOADx',
  '%00',
  "'%20or%201=1",
].flatMap((id) =>
  eachMethod(UPLOADS + id, BLOB).map(
    (request): Row => ({ ...request, given: 'an upload', ...NO_UPLOAD, after: goesOn(0) }),
  ),
);

const EXPIRED: Row[] = eachMethod(UPLOAD, ' world').map(
  (request): Row => ({
    ...request,
    given: 'an expired upload',
    ...NO_UPLOAD,
    after: [IS_GONE, IS_NOT_STORED],
  }),
);

const ELSEWHERE: Row[] = eachMethod('/v2/OTHER/blobs/uploads/UPLOAD', ' world').map(
  (request): Row => ({
    ...request,
    given: 'an upload of 5 bytes',
    ...NO_UPLOAD,
    after: goesOn(5),
  }),
);

testRows(
  {
    'end-4a: POST /v2/NAME/blobs/uploads/ starts an upload; its 202 has Range 0-0': START,
    'end-4b: POST ?digest= takes a whole blob': WHOLE,
    'end-4c: POST ?digest-algorithm= names the algorithm': ALGORITHM,
    'end-11: POST ?mount=&from= mounts what OTHER links, else 202 and a session': MOUNT,
    'end-13: GET LOCATION is the status of an upload, 0-0 when it is empty': STATUS,
    'end-14: DELETE LOCATION cancels an upload': CANCEL,
    'an unknown upload': UNKNOWN,
    'an unfinished upload expires': EXPIRED,
    'an upload is valid only under its repository': ELSEWHERE,
  },
  () => fixture,
);
