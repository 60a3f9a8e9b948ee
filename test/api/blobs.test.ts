import { afterAll, beforeAll } from 'vitest';
import { BLOB, type Row, testRows } from '../support/api-table.ts';
import { openFixture, type RegistryFixture } from '../support/test-registry.ts';

let fixture: RegistryFixture;

beforeAll(async () => {
  fixture = await openFixture();
});

afterAll(() => fixture?.close());

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
    note: 'with Accept-Encoding',
    headers: { 'Accept-Encoding': 'gzip, br' },
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
  { request: 'GET /v2/REPO/blobs/ABSENT', given: 'a blob', status: 404, code: 'BLOB_UNKNOWN' },
  { request: `GET ${PATH}`, status: 404, code: 'BLOB_UNKNOWN' },
  { request: `GET ${PATH}`, given: 'a blob in OTHER', status: 404, code: 'BLOB_UNKNOWN' },
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
  ...['bytes=11-', 'bytes=11-20', 'bytes=-0', 'bytes=20-30,40-50'].map(
    (range): Row => ({
      request: GET.request,
      given: GET.given,
      headers: { Range: range },
      note: range,
      status: 416,
      code: 'UNSUPPORTED',
      answer: { 'content-range': 'bytes */11' },
    }),
  ),
  ...['bytes=5-2', 'bytes=x', 'bytes=-', 'lines=0-1', 'bytes=0-1,x'].map(
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

const METHODS: Row[] = ['DELETE', 'PUT', 'POST', 'PATCH', 'OPTIONS'].map((method) => ({
  request: `${method} ${PATH}`,
  given: 'a blob',
  status: 405,
  code: 'UNSUPPORTED',
  answer: { allow: 'GET, HEAD' },
  after: [{ request: `GET ${PATH}`, status: 200, content: BLOB }],
}));

testRows([...WHOLE, ...RANGES, ...CONDITIONS, ...METHODS], () => fixture.registry.api);
