import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { NO_BLOB } from '../support/api-expectations.ts';
import { BLOB, IMAGE } from '../support/api-scenes.ts';
import { type Row, testRows } from '../support/api-table.ts';
import { type Part, partsOf, rangeOf } from '../support/byte-ranges.ts';
import type { HttpClient } from '../support/http-client.ts';
import { pushBlob, randomSample } from '../support/sample-content.ts';
import { openFixture, type RegistryFixture } from '../support/test-registry.ts';

let fixture: RegistryFixture;
let api: HttpClient;

beforeAll(async () => {
  fixture = await openFixture();
  api = fixture.registry.api;
});

afterAll(() => fixture?.close());

const PATH = '/v2/REPO/blobs/BLOB';
const WHOLE = { status: 200, answer: { 'content-range': undefined }, content: BLOB } as const;
const PART = {
  status: 206,
  answer: { 'content-range': 'bytes 6-10/11' },
  content: 'world',
} as const;

const IF_RANGE: Row[] = [
  { note: 'the ETag', headers: { 'If-Range': '"BLOB"' }, ...PART },
  { note: 'another one', headers: { 'If-Range': '"x"' }, ...WHOLE },
  { note: 'a weak one: it never matches', headers: { 'If-Range': 'W/"BLOB"' }, ...WHOLE },
  { note: 'a date', headers: { 'If-Range': 'Sun, 06 Nov 1994 08:49:37 GMT' }, ...WHOLE },
].map(({ headers, ...row }) => ({
  request: `GET ${PATH}`,
  given: 'a blob',
  headers: { Range: 'bytes=6-', ...headers },
  ...row,
}));
IF_RANGE.push(
  {
    request: `GET ${PATH}`,
    given: 'a blob',
    note: 'another one, and a range past the end',
    headers: { Range: 'bytes=99-', 'If-Range': '"x"' },
    ...WHOLE,
  },
  {
    request: `GET ${PATH}`,
    given: 'a blob',
    note: 'without Range',
    headers: { 'If-Range': '"BLOB"' },
    ...WHOLE,
  },
);

const NO_MATCH = { status: 412, code: 'UNSUPPORTED', says: /If-Match/ } as const;
const IF_MATCH: Row[] = [
  { path: PATH, given: 'a blob', etag: 'BLOB', content: BLOB },
  { path: '/v2/REPO/manifests/v1', given: 'an image', etag: 'IMAGE', content: IMAGE },
  { path: '/v2/REPO/manifests/IMAGE', given: 'an image', etag: 'IMAGE', content: IMAGE },
].flatMap(({ path, given, etag, content }): Row[] => {
  const row = {
    request: `GET ${path}`,
    given: given === 'a blob' ? 'a blob' : 'an image',
  } as const;
  return [
    ...[`"${etag}"`, `"x", "${etag}"`, '*'].map(
      (match): Row => ({
        ...row,
        headers: { 'If-Match': match },
        note: match,
        status: 200,
        content,
      }),
    ),
    ...['"x"', `W/"${etag}"`].map(
      (match): Row => ({ ...row, headers: { 'If-Match': match }, note: match, ...NO_MATCH }),
    ),
  ];
});
IF_MATCH.push(
  { request: `GET ${PATH}`, note: 'of nothing', headers: { 'If-Match': '*' }, ...NO_BLOB },
  {
    request: `GET ${PATH}`,
    given: 'a blob',
    note: 'with a Range',
    headers: { 'If-Match': '"x"', Range: 'bytes=0-1' },
    ...NO_MATCH,
  },
);

testRows(
  {
    'end-2: If-Range: the range of what is the same, else the whole (RFC 9110, 13.1.5)': IF_RANGE,
    'end-2, end-3: If-Match: 412 for what is another (RFC 9110, 13.1.1)': IF_MATCH,
  },
  () => fixture,
);

/** Of megabytes, two texts are compared sooner than two buffers. */
function inHex({ range, bytes }: Part) {
  return { range, bytes: bytes.toString('hex') };
}

describe('end-2: several ranges are 206 multipart/byteranges', () => {
  const blob = randomSample(2 * 1024 * 1024 + 7);
  const last = blob.bytes.length - 1;
  const path = `/v2/team/ranges/blobs/${blob.digest}`;
  const ask = (range: string, headers: Record<string, string> = {}) =>
    api.send('GET', path, { headers: { Range: range, ...headers } });

  beforeAll(() => pushBlob(api, 'team/ranges', blob));

  test.each<[string, [number, number][]]>([
    [
      'bytes=0-1,4-5',
      [
        [0, 1],
        [4, 5],
      ],
    ],
    [
      'bytes=0-0,-1',
      [
        [0, 0],
        [last, last],
      ],
    ],
    [
      'bytes=100-199 , 0-49',
      [
        [100, 199],
        [0, 49],
      ],
    ],
    [
      'bytes=0-999999,1500000-',
      [
        [0, 999_999],
        [1_500_000, last],
      ],
    ],
    [
      `bytes=0-9,${last - 9}-99999999`,
      [
        [0, 9],
        [last - 9, last],
      ],
    ],
    ['bytes=5-9,99999999-', [[5, 9]]],
    ['bytes=99999999-,-3', [[last - 2, last]]],
  ])('%s', async (range, wanted) => {
    const answer = await ask(range);
    expect(answer.status).toBe(206);
    expect(answer.headers).toMatchObject({
      'docker-content-digest': blob.digest,
      etag: `"${blob.digest}"`,
      'accept-ranges': 'bytes',
    });
    expect(partsOf(answer).map(inHex)).toEqual(
      wanted.map(([first, end]) => inHex(rangeOf(blob, first, end))),
    );
  });

  test('the boundary can not be foretold, so that no blob holds it', async () => {
    const boundaries = await Promise.all(
      Array.from({ length: 5 }, async () => (await ask('bytes=0-1,4-5')).headers['content-type']),
    );
    expect(new Set(boundaries).size).toBe(5);
  });

  test.each([
    ['more ranges than anyone needs', Array.from({ length: 1025 }, () => '0-1')],
    ['one that is malformed', ['0-1', 'x']],
    ['one that is reversed', ['0-1', '9-4']],
  ])('%s are ignored', async (_, ranges) => {
    const { status, body } = await ask(`bytes=${ranges.join(',')}`);
    expect(status).toBe(200);
    expect(body.equals(blob.bytes)).toBe(true);
  });

  test('If-None-Match comes before them', async () => {
    expect((await ask('bytes=0-1,4-5', { 'If-None-Match': `"${blob.digest}"` })).status).toBe(304);
  });

  test('HEAD knows no Range', async () => {
    const answer = await api.send('HEAD', path, { headers: { Range: 'bytes=0-1,4-5' } });
    expect(answer).toMatchObject({
      status: 200,
      headers: { 'content-length': String(blob.bytes.length) },
    });
  });
});
