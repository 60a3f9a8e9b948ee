import { afterAll, beforeAll, expect, test } from 'vitest';
import {
  CREATED,
  goesOn,
  IS_GONE,
  IS_NOT_STORED,
  IS_STORED,
  MALFORMED_RANGE,
  MISSING_DIGEST,
  NO_UPLOAD,
  outOfOrder,
  UPLOAD,
  WRONG_DIGEST,
  WRONG_SIZE,
} from '../support/api-expectations.ts';
import { BLOB } from '../support/api-scenes.ts';
import { check, type Expectation, type Row, testRows } from '../support/api-table.ts';
import { digestOf } from '../support/sample-content.ts';
import { openFixture, type RegistryFixture, sql } from '../support/test-registry.ts';

let fixture: RegistryFixture;

beforeAll(async () => {
  fixture = await openFixture();
});

afterAll(() => fixture?.close());

const APPEND: Row[] = [
  {
    request: `PATCH ${UPLOAD}`,
    given: 'an upload',
    note: 'streamed, as docker does',
    body: 'hello',
    isChunked: true,
    status: 202,
    answer: { location: UPLOAD, range: '0-4', 'docker-upload-uuid': 'UPLOAD' },
    after: goesOn(5),
  },
  {
    request: `PATCH ${UPLOAD}`,
    given: 'an upload of 5 bytes',
    note: 'a second one, streamed',
    body: ' wo',
    isChunked: true,
    status: 202,
    answer: { range: '0-7' },
    after: goesOn(8),
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
    given: 'an upload',
    note: 'without a body',
    status: 202,
    answer: { range: '0-0' },
    after: goesOn(0),
  },
];

const CHUNK: Row[] = [
  {
    request: `PATCH ${UPLOAD}`,
    given: 'an upload',
    note: 'the first, from byte 0',
    headers: { 'Content-Range': '0-4' },
    body: 'hello',
    status: 202,
    answer: { location: UPLOAD, range: '0-4' },
    after: goesOn(5),
  },
  ...['5-7', 'bytes 5-7/11', 'bytes=5-7', 'bytes 5-7/*'].map(
    (range): Row => ({
      request: `PATCH ${UPLOAD}`,
      given: 'an upload of 5 bytes',
      note: `the next chunk, Content-Range ${range}`,
      headers: { 'Content-Range': range },
      body: ' wo',
      status: 202,
      answer: { range: '0-7' },
      after: goesOn(8),
    }),
  ),
];

/** Both are refused in the same way, and leave the upload as it was. */
const REQUESTS = [`PATCH ${UPLOAD}`, `PUT ${UPLOAD}?digest=BLOB`];
const OUT_OF_ORDER: Row[] = REQUESTS.flatMap((request) =>
  ['7-12', '0-5', '4-9', '6-11', '9-9'].map(
    (range): Row => ({
      request,
      given: 'an upload of 5 bytes',
      note: `Content-Range ${range}`,
      headers: { 'Content-Range': range },
      body: range === '9-9' ? '' : BLOB.slice(5),
      ...outOfOrder(Number(range.split('-')[0]), 5),
      after: goesOn(5),
    }),
  ),
);

const OTHER_LENGTH: Row[] = REQUESTS.flatMap((request) => {
  const row = { request, given: 'an upload of 5 bytes', ...WRONG_SIZE, after: goesOn(5) } as const;
  const headers = (range: string) => ({ headers: { 'Content-Range': range } });
  return [
    ...['5-9', '5-11'].flatMap((range): Row[] => {
      const note = `Content-Range ${range} for 6 bytes`;
      const sent = { ...row, ...headers(range), body: BLOB.slice(5) };
      return [
        { ...sent, note },
        { ...sent, note: `${note}, chunked`, isChunked: true },
      ];
    }),
    { ...row, ...headers('5-10'), note: 'Content-Range 5-10 for no bytes' },
  ];
});

const UNREADABLE: Row[] = REQUESTS.flatMap((request) =>
  ['x', '', '5', '10-5', '-5', '5-', '5-10, 11-12', 'bytes 5-10/x', '5-99999999999999999999'].map(
    (range): Row => ({
      request,
      given: 'an upload of 5 bytes',
      note: `Content-Range ${range}`,
      headers: { 'Content-Range': range },
      body: BLOB.slice(5),
      ...MALFORMED_RANGE,
      after: goesOn(5),
    }),
  ),
);

const HEX = digestOf(BLOB).slice('sha256:'.length);
const PUT = { request: `PUT ${UPLOAD}?digest=BLOB` };
const STORED_AS_512: Expectation = {
  request: 'GET /v2/REPO/blobs/BLOB512',
  status: 200,
  content: BLOB,
};
const FINISH: Row[] = [
  {
    ...PUT,
    given: 'an upload',
    note: 'the whole blob, as containerd does',
    body: BLOB,
    status: 201,
    answer: CREATED,
    after: [IS_STORED],
  },
  {
    ...PUT,
    given: 'an upload',
    note: 'the whole blob, chunked',
    body: BLOB,
    isChunked: true,
    status: 201,
    after: [IS_STORED],
  },
  {
    ...PUT,
    given: 'an upload of 5 bytes',
    note: 'the rest',
    body: ' world',
    status: 201,
    after: [IS_STORED],
  },
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
    note: 'then a PUT without a body, its digest percent-encoded as docker does',
    body: ' world',
    status: 202,
    after: [
      {
        request: `PUT ${UPLOAD}?digest=sha256%3A${HEX}`,
        status: 201,
        answer: CREATED,
      },
      IS_STORED,
      IS_GONE,
    ],
  },
  {
    request: `PUT ${UPLOAD}?digest=EMPTY`,
    given: 'an upload',
    note: 'zero bytes',
    status: 201,
    answer: { 'docker-content-digest': 'EMPTY' },
    after: [{ request: 'GET /v2/REPO/blobs/EMPTY', status: 200, content: '' }],
  },
  {
    request: `PUT ${UPLOAD}?digest=BLOB512`,
    given: 'an upload of 5 bytes',
    note: 'another algorithm than that of the POST',
    body: ' world',
    status: 201,
    answer: { 'docker-content-digest': 'BLOB512' },
    after: [STORED_AS_512],
  },
  { ...PUT, given: 'a finished upload', note: 'repeated', status: 201, answer: CREATED },
  { ...PUT, given: 'a finished upload', note: 'repeated, with body', body: BLOB, status: 201 },
  {
    request: `PUT ${UPLOAD}?digest=ABSENT`,
    given: 'a finished upload',
    note: 'repeated with another digest',
    ...NO_UPLOAD,
    after: [IS_STORED],
  },
  {
    request: `PUT ${UPLOAD}`,
    given: 'an upload of 5 bytes',
    note: 'without a digest',
    ...MISSING_DIGEST,
    after: goesOn(5),
  },
];

const MISMATCH: Row[] = [' globe', ' world!', ''].map((body) => ({
  ...PUT,
  given: 'an upload of 5 bytes',
  note: `with the bytes "${body}"`,
  body,
  ...WRONG_DIGEST,
  detail: { provided: 'BLOB', actual: digestOf(`hello${body}`) },
  after: [IS_GONE, IS_NOT_STORED, { ...PUT, body: ' world', ...NO_UPLOAD }],
}));

testRows(
  {
    'end-5: PATCH LOCATION without Content-Range streams, and answers Range 0-LAST': APPEND,
    'end-5: PATCH LOCATION with Content-Range appends a chunk, FIRST-LAST from 0': CHUNK,
    'end-5, end-6: a chunk out of order is 416, and the upload stays usable': OUT_OF_ORDER,
    'end-5, end-6: a Content-Range whose length is not the body’s appends nothing': OTHER_LENGTH,
    'end-5, end-6: a Content-Range that cannot be read appends nothing': UNREADABLE,
    'end-6: PUT LOCATION?digest= closes an upload: nothing, the last chunk, or all in its body':
      FINISH,
    'end-6: a wrong digest is 400, nothing is stored, and the upload is gone': MISMATCH,
  },
  () => fixture,
);

test('the bytes of an upload whose digest is wrong go to the deletion list', async () => {
  const deletions = () =>
    sql<{ key: string }>(fixture.database.url, 'select key from deletions order by key');
  const before = { keys: await fixture.storage.keys(), deletions: await deletions() };
  await check(fixture, {
    ...PUT,
    given: 'an upload of 5 bytes',
    body: ' globe',
    ...WRONG_DIGEST,
  });
  const added = (await fixture.storage.keys()).filter((key) => !before.keys.includes(key));
  expect(added).toHaveLength(2);
  const listed = (await deletions()).map(({ key }) => key);
  expect(listed.filter((key) => !before.deletions.some((old) => old.key === key))).toEqual(added);
});
