import { afterAll, beforeAll, expect, test } from 'vitest';
import { MALFORMED_TAG, NO_MANIFEST, NOT_A_TAG, TAG_EXISTS } from '../support/api-expectations.ts';
import { IMAGE, OCI_TYPE as OCI } from '../support/api-scenes.ts';
import { type Expectation, type Row, testRows } from '../support/api-table.ts';
import {
  expectStatus,
  imageOf,
  pushBlob,
  putManifest,
  sampleOf,
} from '../support/sample-content.ts';
import { openFixture, type RegistryFixture } from '../support/test-registry.ts';

let fixture: RegistryFixture;

beforeAll(async () => {
  fixture = await openFixture();
});

afterAll(() => fixture?.close());

const PUT = 'PUT /v2/REPO/manifests/';
const GET = 'GET /v2/REPO/manifests/';

function type(mediaType: string) {
  return { 'Content-Type': mediaType };
}

const WRONG_DIGEST = {
  status: 400,
  code: 'DIGEST_INVALID',
  says: /did not match the manifest: its digest is sha\d+:[0-9a-f]+, push it by that$/,
} as const;
const DIGESTS: Row[] = [
  {
    request: `${PUT}SHA512_OF_BODY`,
    given: 'a blob',
    headers: type(OCI),
    body: IMAGE,
    status: 201,
    answer: { 'docker-content-digest': 'SHA512_OF_BODY' },
    after: [
      {
        request: `${GET}SHA512_OF_BODY`,
        body: IMAGE,
        status: 200,
        answer: { 'docker-content-digest': 'SHA512_OF_BODY', etag: '"SHA512_OF_BODY"' },
        content: IMAGE,
      },
      { request: `${GET}SHA256_OF_BODY`, body: IMAGE, ...NO_MANIFEST },
    ],
  },
  {
    request: `${PUT}ABSENT`,
    given: 'a blob',
    headers: type(OCI),
    body: IMAGE,
    ...WRONG_DIGEST,
    detail: { provided: 'ABSENT', actual: 'SHA256_OF_BODY' },
    after: [{ request: `${GET}ABSENT`, ...NO_MANIFEST }],
  },
];

/** Each has 128 characters, and eleven more in its line. */
function longTags(count: number): string {
  return Array.from({ length: count }, (_, n) => `tag=${String(n).padEnd(128, 'x')}`).join('&');
}

const TAGS: Row[] = [
  {
    request: `${PUT}SHA256_OF_BODY?${longTags(57)}`,
    given: 'a blob',
    headers: type(OCI),
    body: IMAGE,
    status: 201,
  },
  {
    request: `${PUT}SHA256_OF_BODY?${longTags(58)}`,
    given: 'a blob',
    note: 'more than fit into an answer',
    headers: type(OCI),
    body: IMAGE,
    status: 414,
    code: 'SIZE_INVALID',
    says: /^too many tags at once: .*; push the manifest again with the rest$/,
    after: [{ request: `${GET}SHA256_OF_BODY`, body: IMAGE, ...NO_MANIFEST }],
  },
  ...['SHA256_OF_BODY', 'SHA512_OF_BODY'].map(
    (digest): Row => ({
      request: `${PUT}${digest}?tag=a&tag=b`,
      given: 'a blob',
      headers: type(OCI),
      body: IMAGE,
      status: 201,
      answer: { 'oci-tag': 'a, b', 'docker-content-digest': digest },
      after: ['a', 'b'].map(
        (tag): Expectation => ({
          request: `${GET}${tag}`,
          body: IMAGE,
          status: 200,
          answer: { 'docker-content-digest': digest },
          content: IMAGE,
        }),
      ),
    }),
  ),
  {
    request: `${PUT}SHA256_OF_BODY?tag=a&tag=v1`,
    given: 'an image',
    note: 'all or nothing',
    headers: type(OCI),
    body: `${IMAGE} `,
    ...TAG_EXISTS,
    detail: { Tag: 'v1' },
    after: [
      { request: `${GET}a`, ...NO_MANIFEST },
      { request: `${GET}v1`, status: 200, content: IMAGE },
      { request: `${GET}SHA256_OF_BODY`, body: `${IMAGE} `, ...NO_MANIFEST },
    ],
  },
  {
    request: `${PUT}ABSENT?tag=a`,
    given: 'a blob',
    headers: type(OCI),
    body: IMAGE,
    ...WRONG_DIGEST,
    after: [{ request: `${GET}a`, ...NO_MANIFEST }],
  },
  ...['', '-a', '.a', 'a%20b', 'a'.repeat(129), '%C3%BC', '%00', '%zz'].map(
    (tag): Row => ({
      request: `${PUT}SHA256_OF_BODY?tag=${tag}&tag=ok`,
      given: 'a blob',
      headers: type(OCI),
      body: IMAGE,
      ...MALFORMED_TAG,
      after: [{ request: `${GET}ok`, ...NO_MANIFEST }],
    }),
  ),
];

const TAG_NAMES: Row[] = [
  ...['-a', '.a', 'a%20b', 'a'.repeat(129), '%00', 'a+b', '~a', '%C3%BC'].flatMap((tag): Row[] => [
    { request: `${GET}${tag}`, given: 'an image', ...NOT_A_TAG },
    {
      request: `${PUT}${tag}`,
      given: 'a blob',
      headers: type(OCI),
      body: IMAGE,
      ...MALFORMED_TAG,
    },
  ]),
  ...['_', 'A', '0', 'a.b-c_D', '__--..', 'a'.repeat(128), 'sha256', 'blobs'].map(
    (tag): Row => ({
      request: `${PUT}${tag}`,
      given: 'a blob',
      headers: type(OCI),
      body: IMAGE,
      status: 201,
      after: [{ request: `${GET}${tag}`, status: 200, content: IMAGE }],
    }),
  ),
];

testRows(
  {
    'end-7a: sha256 and sha512 by digest; a wrong one is 400': DIGESTS,
    'end-7b: PUT /v2/NAME/manifests/DIGEST?tag= sets several tags: all, or none': TAGS,
    'a tag is [a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}': TAG_NAMES,
  },
  () => fixture,
);

test('end-7b: OCI-Tag is one header line per tag', async () => {
  const { api } = fixture.registry;
  const config = sampleOf(Buffer.from('{}'));
  await pushBlob(api, 'team/tags', config);
  const image = imageOf(config, [], 'tags');
  const reference = `${image.digest}?tag=a&tag=b&tag=c&tag=a`;
  const answer = await expectStatus(putManifest(api, 'team/tags', reference, image), 201);
  expect(answer.lines('oci-tag')).toEqual(['a', 'b', 'c']);
});
