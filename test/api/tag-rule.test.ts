import { afterAll, beforeAll } from 'vitest';
import { NO_LATEST, NO_MANIFEST, TAG_EXISTS } from '../support/api-expectations.ts';
import {
  IMAGE,
  INDEX_TYPE as INDEX,
  image,
  index,
  OCI_TYPE as OCI,
} from '../support/api-scenes.ts';
import { type Expectation, type Row, testRows } from '../support/api-table.ts';
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

/** Images that differ in their bytes alone. */
const [ONE, TWO] = [`${IMAGE} `, `${IMAGE}  `];

function put(tag: string, body: string, mediaType = OCI): Expectation {
  return { request: `${PUT}${tag}`, headers: type(mediaType), body, status: 201 };
}

/** The tag names the manifest with these bytes. */
function names(tag: string, body: string, caching: string): Expectation {
  const isFixed = caching === 'no-cache';
  return {
    request: `${GET}${tag}`,
    body,
    status: 200,
    answer: {
      'docker-content-digest': 'SHA256_OF_BODY',
      'cache-control': caching,
      etag: isFixed ? '"SHA256_OF_BODY"' : undefined,
    },
    content: body,
  };
}

const IMMUTABLE: Row[] = [
  {
    ...put('1.0', ONE),
    given: 'a blob',
    note: 'again the same',
    before: [put('1.0', ONE)],
    after: [names('1.0', ONE, 'no-cache')],
  },
  {
    ...put('1.0', TWO),
    given: 'a blob',
    note: 'another image',
    before: [put('1.0', ONE)],
    ...TAG_EXISTS,
    detail: { Tag: '1.0' },
    after: [
      names('1.0', ONE, 'no-cache'),
      { request: `${GET}SHA256_OF_BODY`, body: TWO, ...NO_MANIFEST },
    ],
  },
];

const MUTABLE: Row[] = [
  {
    ...put('1-SNAPSHOT', TWO),
    given: 'a blob',
    before: [put('1-SNAPSHOT', ONE), names('1-SNAPSHOT', ONE, 'no-store')],
    after: [
      names('1-SNAPSHOT', TWO, 'no-store'),
      { request: `${GET}SHA256_OF_BODY`, body: ONE, status: 200, content: ONE },
    ],
  },
];

const HEX = 'a'.repeat(64);
const MAY_GROW = {
  status: 409,
  code: 'TAG_INVALID',
  says: /^tag already exists, and may only grow: .* lacks 1 of its entries, .*; read the tag again and add to it$/,
} as const;
/** As cosign writes it: the payload is that of all signers, the signature an annotation of the layer. */
function signed(signatures: readonly string[]): string {
  const [layer] = JSON.parse(image('BLOB')).layers;
  const layers = signatures.map((signature) => ({
    ...layer,
    annotations: { 'dev.cosignproject.cosign/signature': signature },
  }));
  return image('BLOB', 'BLOB', { layers });
}

const SIGNATURES: Row[] = [
  ...['.sig', '.att', '.sbom'].flatMap((suffix): Row[] => {
    const tag = `sha256-${HEX}${suffix}`;
    const before = [put(tag, image('BLOB', 'BLOB'))];
    const layers = JSON.parse(image('BLOB')).layers;
    return [
      {
        ...put(tag, image('BLOB', 'BLOB', { layers: [...layers, ...layers] })),
        given: 'a blob',
        note: 'that holds all of the old one',
        before,
      },
      {
        ...put(tag, image('BLOB', 'BLOB', { layers: [] })),
        given: 'a blob',
        note: 'that lacks a layer',
        before,
        ...MAY_GROW,
        detail: { Tag: tag },
        after: [names(tag, image('BLOB'), 'no-store')],
      },
      {
        ...put(tag, signed(['b'])),
        given: 'a blob',
        note: 'that lacks a signature of the same payload',
        before: [put(tag, signed(['a']))],
        ...MAY_GROW,
        detail: { Tag: tag },
        after: [put(tag, signed(['a', 'b'])), names(tag, signed(['a', 'b']), 'no-store')],
      },
    ];
  }),
  ...['sha256', 'sha512'].map((algorithm): Row => {
    const tag = `${algorithm}-${HEX}`;
    const empty = JSON.stringify({ schemaVersion: 2, mediaType: INDEX, manifests: [] });
    return {
      ...put(tag, empty, INDEX),
      given: 'an image',
      note: 'an index that lacks an entry',
      before: [put(tag, empty, INDEX), put(tag, index('IMAGE'), INDEX)],
      ...MAY_GROW,
      after: [names(tag, index('IMAGE'), 'no-store')],
    };
  }),
];

const NOT_LATEST = {
  status: 409,
  code: 'TAG_INVALID',
  says: /^tag latest is not allowed: .* push a tag with a name of its own$/,
  detail: { Tag: 'latest' },
} as const;
const LATEST: Row[] = [
  { request: `${GET}latest`, given: 'a blob', ...NO_LATEST },
  {
    request: `${GET}latest`,
    given: 'a blob',
    note: 'mutable and signature tags are no candidates',
    before: [put('1-SNAPSHOT', ONE), put(`sha256-${HEX}.sig`, TWO)],
    ...NO_LATEST,
  },
  {
    ...names('latest', TWO, 'no-store'),
    given: 'a blob',
    note: 'the newest immutable tag',
    before: [put('2.0', ONE), put('1.0', TWO), put('1-SNAPSHOT', ONE), put('2.0', ONE)],
    after: [
      put('latest', TWO),
      { ...put('latest', ONE), ...NOT_LATEST },
      names('latest', TWO, 'no-store'),
      {
        request: 'GET /v2/REPO/tags/list',
        status: 200,
        content: { name: 'REPO', tags: ['1-SNAPSHOT', '1.0', '2.0'] },
      },
    ],
  },
  { ...put('latest', ONE), given: 'a blob', note: 'the first push', ...NOT_LATEST },
  {
    ...put('SHA256_OF_BODY?tag=1.0&tag=latest', ONE),
    given: 'a blob',
    note: 'one of several tags',
    ...NOT_LATEST,
    after: [{ request: `${GET}1.0`, ...NO_MANIFEST }],
  },
];

const CACHING: Row[] = [
  ...['v1', 'IMAGE'].map(
    (reference): Row => ({
      request: `${GET}${reference}`,
      given: 'an image',
      headers: { 'If-None-Match': '"IMAGE"' },
      status: 304,
      answer: { etag: '"IMAGE"', 'docker-content-digest': 'IMAGE' },
      content: '',
    }),
  ),
  {
    request: `${GET}IMAGE`,
    given: 'an image',
    headers: { 'If-None-Match': '"x"' },
    status: 200,
    answer: { etag: '"IMAGE"', 'cache-control': 'max-age=31536000, immutable' },
    content: IMAGE,
  },
];

testRows(
  {
    'an immutable tag: the same again is 201, another digest is 409': IMMUTABLE,
    'a tag that matched MUTABLE_TAGS names the newest': MUTABLE,
    'signature tags only grow': SIGNATURES,
    'latest is the newest immutable tag, and is never set': LATEST,
    'a manifest is cached by its digest, and revalidated by its tag': CACHING,
  },
  () => fixture,
);
