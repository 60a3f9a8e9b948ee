import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { NO_BLOB } from '../support/api-expectations.ts';
import { BLOB, IMAGE } from '../support/api-scenes.ts';
import { type Row, testRows } from '../support/api-table.ts';
import { partsOf, rangeOf } from '../support/byte-ranges.ts';
import type { HttpClient } from '../support/http-client.ts';
import { RawClient, requestHead } from '../support/raw-http.ts';
import {
  descriptor,
  digestOf,
  expectStatus,
  imageOf,
  OCI_INDEX,
  OCI_MANIFEST,
  pushBlob,
  putManifest,
  randomSample,
  sampleOf,
} from '../support/sample-content.ts';
import { openFixture, type RegistryFixture } from '../support/test-registry.ts';

const CONFIG = sampleOf(Buffer.from('{}'));

let fixture: RegistryFixture;
let api: HttpClient;

beforeAll(async () => {
  fixture = await openFixture();
  api = fixture.registry.api;
  await pushBlob(api, 'team/new', CONFIG);
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

describe('end-2: several ranges are 206 multipart/byteranges', () => {
  const blob = randomSample(2 * 1024 * 1024 + 7);
  const last = blob.bytes.length - 1;
  const path = `/v2/team/new/blobs/${blob.digest}`;
  const ask = (range: string, headers: Record<string, string> = {}) =>
    api.send('GET', path, { headers: { Range: range, ...headers } });

  beforeAll(() => pushBlob(api, 'team/new', blob));

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
    expect(partsOf(answer)).toEqual(wanted.map(([first, end]) => rangeOf(blob, first, end)));
  });

  test('the boundary can not be foretold, so that no blob holds it', async () => {
    const boundaries = await Promise.all(
      Array.from({ length: 5 }, async () => (await ask('bytes=0-1,4-5')).headers['content-type']),
    );
    expect(new Set(boundaries).size).toBe(5);
  });

  test.each([
    ['more ranges than anyone needs', Array.from({ length: 65 }, (_, n) => `${3 * n}-${3 * n}`)],
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

test('a connection is not closed while a refused body still comes, also with Connection: close', async () => {
  const client = await RawClient.openUrl(fixture.registry.url);
  const pieces = Array<Buffer>(128).fill(Buffer.alloc(64 * 1024));
  const length = 128 * 64 * 1024;
  const headers = { Connection: 'close', 'Content-Length': length };
  client.send(requestHead('PATCH', '/v2/team/new/blobs/uploads/x', headers));
  expect(await client.sendAll(pieces)).toBe(length);
  expect((await client.readAnswer('PATCH')).status).toBe(404);
  await client.closed();
});

test('end-7b: OCI-Tag is one header line per tag', async () => {
  const image = imageOf(CONFIG, [], 'tags');
  const reference = `${image.digest}?tag=a&tag=b&tag=c`;
  const answer = await expectStatus(putManifest(api, 'team/new', reference, image), 201);
  expect(answer.lines('oci-tag')).toEqual(['a', 'b', 'c']);
});

describe('end-12: manifests under the fallback tag are referrers too', () => {
  const SIGNATURE = 'application/x-signature';
  const SBOM = 'application/x-sbom';
  let count = 0;

  /** An artifact, with a subject or without, and the descriptor that the list has of it. */
  async function artifact(artifactType: string, subject?: string, filler = '') {
    count += 1;
    const annotations = { number: String(count), filler };
    const document = {
      schemaVersion: 2,
      mediaType: OCI_MANIFEST,
      artifactType,
      config: descriptor('application/vnd.oci.empty.v1+json', CONFIG),
      layers: [],
      ...(subject ? { subject: { mediaType: OCI_MANIFEST, digest: subject, size: 1 } } : {}),
      annotations,
    };
    const manifest = sampleOf(Buffer.from(JSON.stringify(document)));
    await expectStatus(putManifest(api, 'team/new', manifest.digest, manifest), 201);
    return descriptor(OCI_MANIFEST, manifest, { artifactType, annotations });
  }

  type Listed = Awaited<ReturnType<typeof artifact>>;

  async function putFallback(subject: string, manifests: readonly Listed[]): Promise<void> {
    const [algorithm = '', hex = ''] = subject.split(':');
    const document = { schemaVersion: 2, mediaType: OCI_INDEX, manifests };
    const index = sampleOf(Buffer.from(JSON.stringify(document)));
    const tag = `${algorithm}-${hex.slice(0, 64)}`;
    await expectStatus(putManifest(api, 'team/new', tag, index, OCI_INDEX), 201);
  }

  /** All pages. */
  async function listed(subject: string, query = ''): Promise<{ all: Listed[]; pages: number }> {
    const all: Listed[] = [];
    let pages = 0;
    let path: string | undefined = `/v2/team/new/referrers/${subject}${query}`;
    for (; path; pages += 1) {
      const answer = await expectStatus(api.send('GET', path), 200);
      expect(answer.headers['content-type']).toBe(OCI_INDEX);
      const page: { manifests: Listed[] } = JSON.parse(answer.body.toString());
      all.push(...page.manifests);
      path = /^<(.*)>; rel="next"$/.exec(answer.headers['link'] ?? '')?.[1];
    }
    return { all: sorted(all), pages };
  }

  function sorted(list: readonly Listed[]): Listed[] {
    return list.toSorted((a, b) => (a.digest < b.digest ? -1 : 1));
  }

  test.each(['sha256', 'sha512'] as const)('of a %s', async (algorithm) => {
    const subject = digestOf(`fallback ${algorithm}`, algorithm);
    const entries = [await artifact(SIGNATURE), await artifact(SBOM)];
    await putFallback(subject, entries);
    expect((await listed(subject)).all).toEqual(sorted(entries));
  });

  test('together with those that have a subject, each once', async () => {
    const subject = digestOf('both');
    const [one, two] = [await artifact(SIGNATURE, subject), await artifact(SBOM, subject)];
    const three = await artifact(SIGNATURE);
    await putFallback(subject, [one, three]);
    expect((await listed(subject)).all).toEqual(sorted([one, two, three]));
  });

  test('as the newest index of the tag has them', async () => {
    const subject = digestOf('grown');
    const [one, two] = [await artifact(SIGNATURE), await artifact(SBOM)];
    await putFallback(subject, [one]);
    await putFallback(subject, [one, two]);
    expect((await listed(subject)).all).toEqual(sorted([one, two]));
  });

  test('filtered by artifactType', async () => {
    const subject = digestOf('filtered');
    const [one, two] = [await artifact(SIGNATURE, subject), await artifact(SBOM, subject)];
    const [three, four] = [await artifact(SIGNATURE), await artifact(SBOM)];
    await putFallback(subject, [two, three, four]);
    const query = `?artifactType=${encodeURIComponent(SIGNATURE)}`;
    expect((await listed(subject, query)).all).toEqual(sorted([one, three]));
    const answer = await api.send('GET', `/v2/team/new/referrers/${subject}${query}`);
    expect(answer.headers['oci-filters-applied']).toBe('artifactType');
  });

  test('in pages, each once', async () => {
    const subject = digestOf('pages');
    const large = 'x'.repeat(3_000_000);
    const withSubject: Listed[] = [];
    for (let n = 0; n < 4; n += 1) withSubject.push(await artifact(SIGNATURE, subject, large));
    const without = [await artifact(SBOM), await artifact(SBOM), await artifact(SBOM)];
    await putFallback(subject, without);
    const { all, pages } = await listed(subject);
    expect(all.map(({ digest }) => digest)).toEqual(
      sorted([...withSubject, ...without]).map(({ digest }) => digest),
    );
    expect(pages).toBeGreaterThan(1);
  });

  test('an image under that tag is no list of referrers', async () => {
    const subject = digestOf('an image');
    const image = imageOf(CONFIG, [], 'fallback');
    const tag = `sha256-${subject.slice('sha256:'.length)}`;
    await expectStatus(putManifest(api, 'team/new', tag, image), 201);
    expect((await listed(subject)).all).toEqual([]);
  });
});
