import { afterAll, beforeAll } from 'vitest';
import { NO_BLOB, notAllowed } from '../support/api-expectations.ts';
import { BLOB } from '../support/api-scenes.ts';
import { type Row, testRows } from '../support/api-table.ts';
import { digestOf } from '../support/sample-content.ts';
import { openFixture, type RegistryFixture } from '../support/test-registry.ts';

let fixture: RegistryFixture;

beforeAll(async () => {
  fixture = await openFixture();
});

afterAll(() => fixture?.close());

const HEX = digestOf(BLOB).slice('sha256:'.length);
const PATH = '/v2/REPO/blobs/BLOB';
const GET = { request: `GET ${PATH}`, given: 'a blob' } as const;
const HEADERS = {
  'docker-content-digest': 'BLOB',
  'content-type': 'application/octet-stream',
  'accept-ranges': 'bytes',
  etag: '"BLOB"',
  'cache-control': 'max-age=31536000, immutable',
  'content-encoding': undefined,
};

const WHOLE: Row[] = [
  {
    ...GET,
    status: 200,
    answer: { ...HEADERS, 'content-length': '11', 'content-range': undefined },
    content: BLOB,
  },
  {
    ...GET,
    note: 'never compressed',
    headers: { 'Accept-Encoding': 'gzip, br' },
    status: 200,
    answer: HEADERS,
    content: BLOB,
  },
  {
    request: `GET ${PATH.replace('BLOB', `sha256%3A${HEX}`)}`,
    given: 'a blob',
    note: 'its digest percent-encoded',
    status: 200,
    answer: HEADERS,
    content: BLOB,
  },
  {
    request: 'GET /v2/REPO/blobs/EMPTY',
    given: 'an empty blob',
    status: 200,
    answer: { 'content-length': '0', 'docker-content-digest': 'EMPTY' },
    content: '',
  },
];

const UNKNOWN: Row[] = [
  {
    request: 'GET /v2/REPO/blobs/ABSENT',
    given: 'a blob',
    ...NO_BLOB,
    detail: { Digest: 'ABSENT' },
  },
  { request: `GET ${PATH}`, note: 'no such repository', ...NO_BLOB },
  { request: `GET ${PATH}`, given: 'a blob in OTHER', note: 'readable there alone', ...NO_BLOB },
  {
    request: `GET ${PATH}`,
    given: 'an upload of 5 bytes',
    note: 'not finished yet',
    ...NO_BLOB,
  },
  {
    request: 'GET /v2/REPO/blobs/ABSENT',
    given: 'a blob',
    note: 'a Range is no reason for 416',
    headers: { Range: 'bytes=99-' },
    ...NO_BLOB,
  },
  {
    request: `GET /v2/REPO/blobs/IMAGE`,
    given: 'an image',
    note: 'a manifest is no blob',
    ...NO_BLOB,
  },
];

function part(range: string, from: number, to: number): Row {
  return {
    ...GET,
    headers: { Range: range },
    note: range,
    status: 206,
    answer: {
      ...HEADERS,
      'content-range': `bytes ${from}-${to}/11`,
      'content-length': String(to - from + 1),
    },
    content: BLOB.slice(from, to + 1),
  };
}

const RANGES: Row[] = [
  part('bytes=0-0', 0, 0),
  part('bytes=0-10', 0, 10),
  part('bytes=6-', 6, 10),
  part('bytes=6-99', 6, 10),
  part('bytes=-5', 6, 10),
  part('bytes=-99', 0, 10),
  ...['bytes=11-', 'bytes=11-20', 'bytes=-0'].map(
    (range): Row => ({
      request: GET.request,
      given: GET.given,
      headers: { Range: range },
      note: range,
      status: 416,
      code: 'UNSUPPORTED',
      says: /outside of the blob, which has 11 bytes/,
      answer: { 'content-range': 'bytes */11' },
    }),
  ),
  {
    request: 'GET /v2/REPO/blobs/EMPTY',
    given: 'an empty blob',
    headers: { Range: 'bytes=0-0' },
    note: 'bytes=0-0 of nothing',
    status: 416,
    code: 'UNSUPPORTED',
    says: /outside of the blob, which has 0 bytes/,
    answer: { 'content-range': 'bytes */0' },
  },
  {
    request: 'GET /v2/REPO/blobs/EMPTY',
    given: 'an empty blob',
    headers: { Range: 'bytes=-5' },
    note: 'the last 5 of nothing',
    status: 200,
    content: '',
  },
  {
    request: `HEAD ${PATH}`,
    given: 'a blob',
    headers: { Range: 'bytes=0-1' },
    note: 'HEAD knows no Range',
    status: 200,
    answer: { 'content-length': '11', 'content-range': undefined },
  },
  ...['bytes=5-2', 'bytes=x', 'bytes=-', 'lines=0-1', 'bytes=0-1,x', 'bytes=20-30,40-50'].map(
    (range): Row => ({
      request: GET.request,
      given: GET.given,
      headers: { Range: range },
      note: `${range} is ignored`,
      status: 200,
      answer: { ...HEADERS, 'content-range': undefined },
      content: BLOB,
    }),
  ),
];

const CONDITIONS: Row[] = [
  ...['"BLOB"', 'W/"BLOB"', '"x", "BLOB"', '*'].map(
    (etags): Row => ({
      request: GET.request,
      given: GET.given,
      headers: { 'If-None-Match': etags },
      note: `If-None-Match ${etags}`,
      status: 304,
      answer: { etag: '"BLOB"', 'docker-content-digest': 'BLOB' },
      content: '',
    }),
  ),
  { ...GET, headers: { 'If-None-Match': '"x"' }, note: 'other etag', status: 200, content: BLOB },
  {
    request: `HEAD ${PATH}`,
    given: 'a blob',
    headers: { 'If-None-Match': '"BLOB"' },
    note: 'the length in a 304 is that of the 200, or none (RFC 9110, section 8.6)',
    status: 304,
    answer: { 'content-length': undefined },
  },
];

const METHODS: Row[] = ['DELETE', 'PUT', 'POST', 'PATCH', 'OPTIONS'].flatMap((method): Row[] => {
  const says = method === 'DELETE' ? /^blobs are never deleted by clients/ : undefined;
  const row = { request: `${method} ${PATH}`, ...notAllowed('GET, HEAD', says) };
  return [
    { ...row, given: 'a blob', after: [{ request: `GET ${PATH}`, status: 200, content: BLOB }] },
    { ...row, note: 'whether it is there or not' },
  ];
});

testRows(
  {
    'end-2: GET, HEAD /v2/NAME/blobs/DIGEST is the bytes, never compressed': WHOLE,
    'end-2: 404 for what this repository does not have': UNKNOWN,
    'end-2: one Range is 206 with Content-Range, 416 past the end, else ignored': RANGES,
    'end-2: by digest, with an ETag, for ever': CONDITIONS,
    'end-10: a blob is never deleted; 405 carries Allow': METHODS,
  },
  () => fixture,
);
