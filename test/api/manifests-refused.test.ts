import { afterAll, beforeAll } from 'vitest';
import { NO_MANIFEST, NO_REPOSITORY } from '../support/api-expectations.ts';
import {
  IMAGE,
  INDEX_TYPE as INDEX,
  image,
  index,
  OCI_TYPE as OCI,
} from '../support/api-scenes.ts';
import { type Row, testRows } from '../support/api-table.ts';
import { openFixture, type RegistryFixture } from '../support/test-registry.ts';

let fixture: RegistryFixture;

beforeAll(async () => {
  fixture = await openFixture({ MANIFEST_MAX_BYTES: '4096' });
});

afterAll(() => fixture?.close());

const PUT = 'PUT /v2/REPO/manifests/';
const GET = 'GET /v2/REPO/manifests/';
const DOCKER = 'application/vnd.docker.distribution.manifest.v2+json';
const LAYER = 'application/vnd.oci.image.layer.v1.tar';
const SCHEMA1 = 'application/vnd.docker.distribution.manifest.v1+json';
const IS_NOT_STORED = { request: `${GET}v1`, ...NO_MANIFEST };

function type(mediaType: string) {
  return { 'Content-Type': mediaType };
}

/** Announced as OCI image manifests; what the sentence says of them. */
const NOT_JSON = /^manifest invalid: the manifest is not JSON in UTF-8$/;
const REFUSED: Row[] = (
  [
    ['not JSON', 'hello', OCI, NOT_JSON],
    ['broken JSON', '{"schemaVersion":2', OCI, NOT_JSON],
    ['nothing', '', OCI, NOT_JSON],
    ['deep JSON', '['.repeat(4000), OCI, NOT_JSON],
    ['deep JSON that is closed', '['.repeat(2000) + ']'.repeat(2000), OCI, /: the document: /],
    ['an array', '[]', OCI, /: the document: /],
    ['null', 'null', OCI, /: the document: /],
    ['of schema 1', '{"schemaVersion":1}', SCHEMA1, /: push with Docker 1.10 or newer$/],
    ['of schema 1 by its version', '{"schemaVersion":1}', OCI, /: push with Docker 1.10 or newer$/],
    ['of another type than announced', IMAGE, DOCKER, /, but .*: send the same in both$/],
    [
      'of an unknown type',
      '{"schemaVersion":2}',
      'a/x',
      /a\/x is no manifest type .* keeps: .*\+json/,
    ],
    ['without config', '{"schemaVersion":2}', OCI, /needs the field config$/],
    ['with an empty config', '{"schemaVersion":2,"config":{}}', OCI, /: config\./],
    ['without schemaVersion', IMAGE.replace('"schemaVersion":2,', ''), OCI, /must be 2$/],
    ['with a malformed digest', image('sha256:123'), OCI, /: config.digest: .* sha256 or sha512/],
    ['with a negative size', IMAGE.replace('"size":11', '"size":-1'), OCI, /: config.size: /],
    [
      'with a wrong annotation',
      image('BLOB', 'BLOB', { annotations: { a: 1 } }),
      OCI,
      /annotations.a/,
    ],
    ['an index without manifests', '{"schemaVersion":2}', INDEX, /needs the field manifests$/],
    [
      'an image and an index at once',
      image('BLOB', 'BLOB', { manifests: [] }),
      OCI,
      /must not have/,
    ],
  ] as const
).map(([note, body, mediaType, says]) => ({
  request: `${PUT}v1`,
  given: 'a blob',
  note,
  headers: type(mediaType),
  body,
  status: 400,
  code: 'MANIFEST_INVALID',
  says,
  after: [IS_NOT_STORED],
}));

const PUSH_FIRST = {
  status: 400,
  code: 'MANIFEST_BLOB_UNKNOWN',
  says: /content that this repository does not have: push it first \(sha256:[0-9a-f]{64}\)$/,
} as const;
const MISSING: Row[] = (
  [
    ['a config that is missing', 'a blob', image('ABSENT', 'BLOB'), OCI, 'ABSENT'],
    ['a layer that is missing', 'a blob', image('BLOB', 'ABSENT'), OCI, 'ABSENT'],
    ['a blob as child', 'a blob', index('BLOB'), INDEX, 'BLOB'],
    ['a child that is missing', 'a blob', index('ABSENT'), INDEX, 'ABSENT'],
    ['a layer in an index', 'a blob', index('ABSENT', LAYER), INDEX, 'ABSENT'],
    ['a manifest as layer', 'an image', image('BLOB', 'IMAGE'), OCI, 'IMAGE'],
    ['a blob that OTHER has', 'a blob in OTHER', image('BLOB'), OCI, 'BLOB'],
    ['a child that OTHER has', 'an image in OTHER', index('IMAGE'), INDEX, 'IMAGE'],
  ] as const
).map(([note, given, body, mediaType, missing]) => ({
  request: `${PUT}v2`,
  given,
  note,
  headers: type(mediaType),
  body,
  ...PUSH_FIRST,
  detail: [{ Digest: missing }],
  after: [{ request: `${GET}v2`, ...NO_MANIFEST }],
}));
MISSING.push({
  request: `${PUT}v1`,
  note: 'two that are missing, in a new repository',
  headers: type(OCI),
  body: image('BLOB', 'ABSENT'),
  ...PUSH_FIRST,
  says: /: push it first \(sha256:[0-9a-f]{64} and 1 more\)$/,
  after: [IS_NOT_STORED, { request: 'GET /v2/REPO/tags/list', ...NO_REPOSITORY }],
});

const BIG = image('BLOB', 'BLOB', { annotations: { filler: 'x'.repeat(4096) } });
const TOO_LARGE = {
  status: 413,
  code: 'SIZE_INVALID',
  says: /larger than the 4096 bytes that are accepted: make it smaller, or ask the operator/,
} as const;
const SIZES: Row[] = ['v1', 'SHA256_OF_BODY', 'SHA256_OF_BODY?tag=v1'].flatMap((reference) =>
  [false, true].map(
    (isChunked): Row => ({
      request: `${PUT}${reference}`,
      given: 'a blob',
      note: `too large${isChunked ? ', chunked' : ''}`,
      isChunked,
      headers: type(OCI),
      body: BIG,
      ...TOO_LARGE,
      after: [IS_NOT_STORED],
    }),
  ),
);

testRows(
  {
    'end-7a: what is no manifest is 400': REFUSED,
    'end-7a: references have to be in the same repository': MISSING,
    'end-7a: a manifest that is too large is 413': SIZES,
  },
  () => fixture,
);
