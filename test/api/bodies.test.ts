import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  MALFORMED_DIGEST,
  NO_BLOB,
  NO_MANIFEST,
  NO_UPLOAD,
  WRONG_SIZE,
} from '../support/api-expectations.ts';
import { expectRefusal, type Refusal } from '../support/api-table.ts';
import type { HttpClient } from '../support/http-client.ts';
import { RawClient, requestHead } from '../support/raw-http.ts';
import {
  expectStatus,
  imageOf,
  pushBlob,
  randomSample,
  sampleOf,
  startUpload,
} from '../support/sample-content.ts';
import { openFixture, type RegistryFixture } from '../support/test-registry.ts';
import { waitUntil } from '../support/wait-until.ts';

const MIB = 1024 * 1024;
const UPLOADS = '/v2/team/bodies/blobs/uploads/';
const CONFIG = sampleOf(Buffer.from('{}'));
const IMAGE = imageOf(CONFIG);

let fixture: RegistryFixture;
let api: HttpClient;

beforeAll(async () => {
  fixture = await openFixture();
  api = fixture.registry.api;
  await pushBlob(api, 'team/bodies', CONFIG);
});

afterAll(() => fixture?.close());

const activeAppends = () => fixture.registry.metric('pierone_active_appends');

/** Sends a part of a body, waits until the server stores it, and hangs up. */
async function cut(method: string, path: string, sent: Buffer, lengthBytes: number | 'chunked') {
  const length: Record<string, string> =
    lengthBytes === 'chunked'
      ? { 'Transfer-Encoding': 'chunked' }
      : { 'Content-Length': String(lengthBytes) };
  const request = api.open(method, path, length);
  await request.write(sent);
  if (!path.includes('/manifests/')) {
    await waitUntil('the append to begin', async () => (await activeAppends()) > 0);
  }
  request.cut();
  await waitUntil('the end of the append', async () => (await activeAppends()) === 0);
}

describe.each([['with Content-Length', 2 * MIB] as const, ['chunked', 'chunked'] as const])(
  'a body that is shorter than announced, %s',
  (_, length) => {
    test('PATCH: what came is kept, and the upload goes on', async () => {
      const { bytes, digest } = randomSample(2 * MIB);
      const path = await startUpload(api, 'team/bodies');
      await cut('PATCH', path, bytes.subarray(0, 1000), length);
      const { headers } = await expectStatus(api.send('GET', path), 204);
      expect(headers['range']).toBe('0-999');
      const rest = { body: bytes.subarray(1000) };
      await expectStatus(api.send('PUT', `${path}?digest=${digest}`, rest), 201);
    });

    test('PUT: the same', async () => {
      const { bytes, digest } = randomSample(2 * MIB);
      const path = await startUpload(api, 'team/bodies');
      await cut('PUT', `${path}?digest=${digest}`, bytes.subarray(0, 1000), length);
      const { headers } = await expectStatus(api.send('GET', path), 204);
      expect(headers['range']).toBe('0-999');
      const rest = { body: bytes.subarray(1000) };
      await expectStatus(api.send('PUT', `${path}?digest=${digest}`, rest), 201);
    });

    test('POST ?digest= of a whole blob: nothing is stored', async () => {
      const { bytes, digest } = randomSample(2 * MIB);
      await cut('POST', `${UPLOADS}?digest=${digest}`, bytes.subarray(0, 1000), length);
      expectRefusal(await api.send('GET', `/v2/team/bodies/blobs/${digest}`), NO_BLOB);
    });

    test('PUT of a manifest: nothing is stored', async () => {
      const path = `/v2/team/bodies/manifests/${IMAGE.digest}`;
      await cut('PUT', path, IMAGE.bytes.subarray(0, -1), length);
      expectRefusal(await api.send('GET', path), NO_MANIFEST);
    });
  },
);

test('a body that is longer than announced counts as far as it was announced, or not at all', async () => {
  const path = await startUpload(api, 'team/bodies');
  const client = await RawClient.openUrl(fixture.registry.url);
  client.send(`${requestHead('PATCH', path, { 'Content-Length': 5 })}hello world`);
  // The rest can only be taken for a request, and is none. The append may not even have begun by then.
  await client.closed();
  const { headers } = await expectStatus(api.send('GET', path), 204);
  const offset = headers['range'] === '0-4' ? 5 : 0;
  const { digest } = sampleOf(Buffer.from('hello world'));
  const body = 'hello world'.slice(offset);
  await expectStatus(api.send('PUT', `${path}?digest=${digest}`, { body }), 201);
});

test('a second append while one runs is 409, and the first goes on', async () => {
  const { bytes, digest } = randomSample(2 * MIB);
  const path = await startUpload(api, 'team/bodies');
  const append = api.open('PATCH', path, { 'Transfer-Encoding': 'chunked' });
  await append.write(bytes.subarray(0, MIB));
  await waitUntil('the append to begin', async () => (await activeAppends()) > 0);
  const others = [
    api.send('PATCH', path, { body: 'x' }),
    api.send('PATCH', path, { headers: { 'Content-Range': '0-0' }, body: 'x' }),
    api.send('PUT', `${path}?digest=${digest}`),
    api.send('DELETE', path),
  ];
  for (const answer of await Promise.all(others)) {
    expectRefusal(answer, {
      status: 409,
      code: 'BLOB_UPLOAD_INVALID',
      says: /^another request is appending to this upload: wait until .*, then ask for the status$/,
    });
  }
  append.end(bytes.subarray(MIB));
  expect((await append.answer).status).toBe(202);
  await expectStatus(api.send('PUT', `${path}?digest=${digest}`), 201);
});

/** Requests that are refused before their body has come. */
const EARLY: [string, () => Promise<string>, Record<string, string>, Refusal][] = [
  ['an unknown upload', async () => `PATCH ${UPLOADS}x`, {}, NO_UPLOAD],
  [
    'a malformed digest at the closing PUT',
    async () => `PUT ${await startUpload(api, 'team/bodies')}?digest=sha256:x`,
    {},
    MALFORMED_DIGEST,
  ],
  [
    'a malformed digest of a whole blob',
    async () => `POST ${UPLOADS}?digest=x`,
    {},
    MALFORMED_DIGEST,
  ],
  [
    'a chunk out of order',
    async () => `PATCH ${await startUpload(api, 'team/bodies')}`,
    { 'Content-Range': `5-${8 * MIB + 4}` },
    { status: 416, code: 'BLOB_UPLOAD_INVALID', says: /go on from there$/ },
  ],
  [
    'a chunk of another length',
    async () => `PATCH ${await startUpload(api, 'team/bodies')}`,
    { 'Content-Range': '0-9' },
    WRONG_SIZE,
  ],
  [
    'a manifest that is too large',
    async () => 'PUT /v2/team/bodies/manifests/v1',
    {},
    { status: 413, code: 'SIZE_INVALID', says: /4194304 bytes that are accepted: make it smaller/ },
  ],
  [
    'a name of one segment',
    async () => 'PUT /v2/one/manifests/v1',
    {},
    { status: 400, code: 'NAME_INVALID', says: /as in my-team\/one$/ },
  ],
  [
    'a method that is not there',
    async () => 'PUT /v2/_catalog',
    {},
    { status: 405, code: 'UNSUPPORTED', says: /use GET, HEAD$/ },
  ],
];

describe.each([false, true])(
  'an early answer reaches its client; the body is chunked: %s',
  (isChunked) => {
    const body = randomSample(8 * MIB).bytes;
    test.each(EARLY)('%s', async (_, request, headers, refusal) => {
      const [method = '', path = ''] = (await request()).split(' ');
      expectRefusal(await api.send(method, path, { headers, body, isChunked }), refusal);
    });
  },
);

test('a connection is not closed while a refused body still comes, also with Connection: close', async () => {
  const client = await RawClient.openUrl(fixture.registry.url);
  const pieces = Array<Buffer>(128).fill(Buffer.alloc(64 * 1024));
  const length = 128 * 64 * 1024;
  const headers = { Connection: 'close', 'Content-Length': length };
  client.send(requestHead('PATCH', '/v2/team/bodies/blobs/uploads/x', headers));
  expect(await client.sendAll(pieces)).toBe(length);
  expect((await client.readAnswer('PATCH')).status).toBe(404);
  await client.closed();
});
