import { afterAll, beforeAll, expect, test } from 'vitest';
import { BLOB, check, type Row, testRows } from '../support/api-table.ts';
import { openFixture, type RegistryFixture, sql } from '../support/test-registry.ts';

let fixture: RegistryFixture;

beforeAll(async () => {
  fixture = await openFixture();
});

afterAll(() => fixture?.close());

const UPLOAD = '/v2/REPO/blobs/uploads/UPLOAD';
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

const APPEND: Row[] = [
  {
    request: `PATCH ${UPLOAD}`,
    given: 'an upload',
    note: 'streamed',
    body: 'hello',
    isChunked: true,
    status: 202,
    answer: { location: UPLOAD, range: '0-4', 'docker-upload-uuid': 'UPLOAD' },
    after: goesOn(5),
  },
  {
    request: `PATCH ${UPLOAD}`,
    given: 'an upload',
    note: 'with Content-Length',
    body: 'hello',
    status: 202,
    answer: { range: '0-4' },
    after: goesOn(5),
  },
  {
    request: `PATCH ${UPLOAD}`,
    given: 'an upload of 5 bytes',
    note: 'the next chunk',
    headers: { 'Content-Range': '5-7' },
    body: ' wo',
    status: 202,
    answer: { range: '0-7' },
    after: goesOn(8),
  },
  {
    request: `PATCH ${UPLOAD}`,
    given: 'an upload',
    note: 'without a body',
    status: 202,
    answer: { range: '0-0' },
    after: goesOn(0),
  },
  ...['7-12', '0-4', '4-9', '6-11'].map(
    (range): Row => ({
      request: `PATCH ${UPLOAD}`,
      given: 'an upload of 5 bytes',
      note: `Content-Range ${range}`,
      headers: { 'Content-Range': range },
      body: BLOB.slice(5),
      status: 416,
      code: 'BLOB_UPLOAD_INVALID',
      answer: { location: UPLOAD, range: '0-4' },
      after: goesOn(5),
    }),
  ),
  ...['5-9', '5-11'].flatMap((range): Row[] => {
    const row = {
      request: `PATCH ${UPLOAD}`,
      given: 'an upload of 5 bytes',
      headers: { 'Content-Range': range },
      body: BLOB.slice(5),
      status: 400,
      code: 'SIZE_INVALID',
      after: goesOn(5),
    } as const;
    const note = `Content-Range ${range} for 6 bytes`;
    return [
      { ...row, note },
      { ...row, note: `${note}, chunked`, isChunked: true },
    ];
  }),
  {
    request: `PATCH ${UPLOAD}`,
    given: 'an upload of 5 bytes',
    note: 'Content-Range 5-10 for no bytes',
    headers: { 'Content-Range': '5-10' },
    status: 400,
    code: 'SIZE_INVALID',
    after: goesOn(5),
  },
  {
    request: `PATCH ${UPLOAD}`,
    given: 'an upload of 5 bytes',
    note: 'Content-Range 9-10 for no bytes',
    headers: { 'Content-Range': '9-10' },
    status: 416,
    code: 'BLOB_UPLOAD_INVALID',
    after: goesOn(5),
  },
  ...['x', '5', '10-5', '-5', '5-', 'bytes 5-10/x', '5-99999999999999999999'].map(
    (range): Row => ({
      request: `PATCH ${UPLOAD}`,
      given: 'an upload of 5 bytes',
      note: `Content-Range ${range}`,
      headers: { 'Content-Range': range },
      body: BLOB.slice(5),
      status: 400,
      code: 'BLOB_UPLOAD_INVALID',
      after: goesOn(5),
    }),
  ),
];

const PUT = { request: `PUT ${UPLOAD}?digest=BLOB` };
const FINISH: Row[] = [
  { ...PUT, given: 'an upload', body: BLOB, status: 201, answer: CREATED, after: [IS_STORED] },
  { ...PUT, given: 'an upload of 5 bytes', body: ' world', status: 201, after: [IS_STORED] },
  {
    ...PUT,
    given: 'an upload of 5 bytes',
    note: 'the last chunk',
    headers: { 'Content-Range': '5-10' },
    body: ' world',
    status: 201,
    after: [IS_STORED, IS_GONE],
  },
  {
    request: `PATCH ${UPLOAD}`,
    given: 'an upload of 5 bytes',
    note: 'then a PUT without a body',
    body: ' world',
    status: 202,
    after: [{ ...PUT, status: 201, answer: CREATED }, IS_STORED, IS_GONE],
  },
  {
    request: `PUT ${UPLOAD}?digest=BLOB512`,
    given: 'an upload of 5 bytes',
    note: 'another algorithm',
    body: ' world',
    status: 201,
    after: [{ request: 'GET /v2/REPO/blobs/BLOB512', status: 200, content: BLOB }],
  },
  { ...PUT, given: 'a finished upload', note: 'repeated', status: 201, answer: CREATED },
  { ...PUT, given: 'a finished upload', note: 'repeated, with body', body: BLOB, status: 201 },
  {
    request: `PUT ${UPLOAD}?digest=ABSENT`,
    given: 'a finished upload',
    status: 404,
    code: 'BLOB_UPLOAD_UNKNOWN',
    after: [IS_STORED],
  },
  ...['0-5', '6-11', '4-9'].map(
    (range): Row => ({
      request: PUT.request,
      given: 'an upload of 5 bytes',
      note: `Content-Range ${range}`,
      headers: { 'Content-Range': range },
      body: ' world',
      status: 416,
      code: 'BLOB_UPLOAD_INVALID',
      answer: { location: UPLOAD, range: '0-4' },
      after: goesOn(5),
    }),
  ),
  ...[false, true].map(
    (isChunked): Row => ({
      request: PUT.request,
      given: 'an upload of 5 bytes',
      note: `Content-Range 5-11 for 6 bytes${isChunked ? ', chunked' : ''}`,
      headers: { 'Content-Range': '5-11' },
      body: ' world',
      isChunked,
      status: 400,
      code: 'SIZE_INVALID',
      after: goesOn(5),
    }),
  ),
  {
    ...PUT,
    given: 'an upload of 5 bytes',
    note: 'Content-Range 5-10 for no bytes',
    headers: { 'Content-Range': '5-10' },
    status: 400,
    code: 'SIZE_INVALID',
    after: goesOn(5),
  },
  {
    ...PUT,
    given: 'an upload of 5 bytes',
    note: 'with other bytes',
    body: ' globe',
    status: 400,
    code: 'DIGEST_INVALID',
    after: [IS_GONE, IS_NOT_STORED, { ...PUT, status: 404, code: 'BLOB_UPLOAD_UNKNOWN' }],
  },
  {
    request: `PUT ${UPLOAD}`,
    given: 'an upload',
    status: 400,
    code: 'DIGEST_INVALID',
    after: goesOn(0),
  },
];

testRows([...APPEND, ...FINISH], () => fixture.registry.api);

test('the bytes of an upload whose digest is wrong go to the deletion list', async () => {
  const deletions = () =>
    sql<{ key: string }>(fixture.postgres.url, 'select key from deletions order by key');
  const before = { keys: await fixture.storage.keys(), deletions: await deletions() };
  await check(fixture.registry.api, {
    ...PUT,
    given: 'an upload of 5 bytes',
    body: ' globe',
    status: 400,
    code: 'DIGEST_INVALID',
  });
  const added = (await fixture.storage.keys()).filter((key) => !before.keys.includes(key));
  expect(added).toHaveLength(2);
  const listed = (await deletions()).map(({ key }) => key);
  expect(listed.filter((key) => !before.deletions.some((old) => old.key === key))).toEqual(added);
});
