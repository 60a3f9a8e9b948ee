import { afterAll, beforeAll, expect, test } from 'vitest';
import { expectRefusal } from '../support/api-table.ts';
import type { HttpClient } from '../support/http-client.ts';
import {
  expectStatus,
  imageOf,
  pushBlob,
  putManifest,
  sampleOf,
} from '../support/sample-content.ts';
import { openFixture, type RegistryFixture } from '../support/test-registry.ts';

let fixture: RegistryFixture;
let api: HttpClient;

const CONFIG = sampleOf(Buffer.from('{}'));
const IMAGE = imageOf(CONFIG);

beforeAll(async () => {
  fixture = await openFixture();
  api = fixture.registry.api;
  await pushBlob(api, 'a/a', CONFIG);
});

afterAll(() => fixture?.close());

test('a manifest of 4 MiB is accepted, and one byte more is not', async () => {
  const filled = (bytes: number) => {
    const empty = imageOf(CONFIG).bytes.length;
    return imageOf(CONFIG, [], 'x'.repeat(bytes - empty));
  };
  const largest = filled(4 * 1024 * 1024);
  await expectStatus(putManifest(api, 'a/a', largest.digest, largest), 201);
  const { body } = await api.send('GET', `/v2/a/a/manifests/${largest.digest}`);
  expect(body.equals(largest.bytes)).toBe(true);
  const larger = filled(4 * 1024 * 1024 + 1);
  expectRefusal(await putManifest(api, 'a/a', larger.digest, larger), {
    status: 413,
    code: 'SIZE_INVALID',
    says: /larger than the 4194304 bytes that are accepted: make it smaller, or ask the operator/,
  });
});

const DEPTH = 1_000_000;
test.each([
  ['lists', '['.repeat(DEPTH) + ']'.repeat(DEPTH)],
  ['lists that never close', '['.repeat(DEPTH)],
  ['objects', '{"a":'.repeat(DEPTH / 2) + '1' + '}'.repeat(DEPTH / 2)],
  ['annotations', `{"annotations":${'{"a":'.repeat(DEPTH / 2)}1${'}'.repeat(DEPTH / 2)}}`],
  ['layers', `{"layers":${'['.repeat(DEPTH)}${']'.repeat(DEPTH)}}`],
])('deep JSON is refused: %s', async (_, text) => {
  expectRefusal(await putManifest(api, 'a/a', 'deep', sampleOf(Buffer.from(text))), {
    status: 400,
    code: 'MANIFEST_INVALID',
    says: /^manifest invalid: ./,
  });
});

// PostgreSQL's text and jsonb can't hold every string that JSON and URLs can.
test.each([
  ['tags/list?last=%00', () => api.send('GET', '/v2/a/a/tags/list?last=%00')],
  ['_catalog?last=%00', () => api.send('GET', '/v2/_catalog?last=%00')],
  ['_catalog?last=%FF', () => api.send('GET', '/v2/_catalog?last=%FF')],
  ['an annotation with U+0000', () => pushAnnotated({ annotations: { note: 'a\u0000b' } })],
  ['an annotation with half a pair', () => pushAnnotated({ annotations: { note: '\ud800' } })],
  ['an artifactType with U+0000', () => pushAnnotated({ artifactType: 'a\u0000b' })],
])('%s is no reason for a 5xx', async (_, ask) => {
  expect((await ask()).status).toBeLessThan(500);
});

function pushAnnotated(extra: object) {
  const document = { ...JSON.parse(IMAGE.bytes.toString()), ...extra };
  const manifest = sampleOf(Buffer.from(JSON.stringify(document)));
  return putManifest(api, 'a/a', manifest.digest, manifest);
}
