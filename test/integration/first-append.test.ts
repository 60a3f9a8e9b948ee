import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { errorCodeOf, type HttpClient, type HttpOptions } from '../support/http-client.ts';
import {
  digestOf,
  expectStatus,
  randomSample,
  type Sample,
  startUpload,
} from '../support/sample-content.ts';
import { openFixture, type RegistryFixture } from '../support/test-registry.ts';
import { waitUntil } from '../support/wait-until.ts';

/* Small bodies, which come with their request's head: what an upload begins with is committed at once. */

const REPOSITORY = 'first/append';

let fixture: RegistryFixture;
let api: HttpClient;

beforeAll(async () => {
  fixture = await openFixture();
  ({ api } = fixture.registry);
});

afterAll(() => fixture?.close());

/** How often each statement about uploads and locks was sent. */
async function statements(): Promise<Record<string, number>> {
  const text = (await fixture.registry.management.send('GET', '/metrics')).body.toString();
  const lines = text.matchAll(
    /^pierone_database_query_duration_seconds_count\{statement="((?:upload|lock)-[^"]+)"\} (\d+)$/gm,
  );
  return Object.fromEntries([...lines].map(([, name = '', count]) => [name, Number(count)]));
}

async function sentBy(work: () => Promise<unknown>): Promise<Record<string, number>> {
  const before = await statements();
  await work();
  const sent = Object.entries(await statements()).map(
    ([name, count]) => [name, count - (before[name] ?? 0)] as const,
  );
  return Object.fromEntries(sent.filter(([, count]) => count > 0));
}

async function expectBlob({ digest, bytes }: Sample): Promise<void> {
  const url = `/v2/${REPOSITORY}/blobs/${digest}`;
  const { body } = await expectStatus(api.send('GET', url), 200);
  expect(body.equals(bytes)).toBe(true);
}

describe.each([
  ['with its length', {}],
  ['in chunked coding', { isChunked: true }],
] as const)('a body %s', (_, coding) => {
  const patch = (path: string, body: Uint8Array, options: HttpOptions = {}) =>
    api.send('PATCH', path, { ...options, ...coding, body });
  const put = (path: string, { digest }: Sample, body: Uint8Array) =>
    api.send('PUT', `${path}?digest=${digest}`, { ...coding, body });

  test('is one statement of a PATCH', async () => {
    const blob = randomSample(3000);
    const path = await startUpload(api, REPOSITORY);
    const sent = await sentBy(async () => {
      const { headers } = await expectStatus(patch(path, blob.bytes), 202);
      expect(headers['range']).toBe('0-2999');
    });
    expect(sent).toEqual({ 'upload-append-first': 1 });
    await expectStatus(api.send('PUT', `${path}?digest=${blob.digest}`), 201);
    await expectBlob(blob);
  });

  test('is two statements of a closing PUT', async () => {
    const blob = randomSample(3000);
    const path = await startUpload(api, REPOSITORY);
    const sent = await sentBy(() => expectStatus(put(path, blob, blob.bytes), 201));
    expect(sent).toEqual({ 'upload-append-first': 1, 'upload-close': 1 });
    await expectBlob(blob);
    // Repeated, it is answered as before.
    await expectStatus(put(path, blob, blob.bytes), 201);
  });

  test('comes behind what an upload has', async () => {
    const blob = randomSample(9000);
    const path = await startUpload(api, REPOSITORY);
    for (const at of [0, 3000])
      await expectStatus(patch(path, blob.bytes.subarray(at, at + 3000)), 202);
    await expectStatus(put(path, blob, blob.bytes.subarray(6000)), 201);
    await expectBlob(blob);
  });

  test('of an upload with another algorithm is digested by that', async () => {
    const { bytes } = randomSample(3000);
    const start = `/v2/${REPOSITORY}/blobs/uploads/?digest-algorithm=sha512`;
    const { headers } = await expectStatus(api.send('POST', start), 202);
    const path = headers['location'] ?? '';
    await expectStatus(patch(path, bytes), 202);
    const blob = { bytes, digest: digestOf(bytes, 'sha512') };
    await expectStatus(api.send('PUT', `${path}?digest=${blob.digest}`), 201);
    await expectBlob(blob);
  });

  test('of an unknown upload, and one with another digest, is refused and leaves nothing', async () => {
    const [blob, other] = [randomSample(3000), randomSample(10)];
    const path = await startUpload(api, REPOSITORY);
    const unknown = path.replace(/[0-9a-f]{8}-/, '00000000-');
    const before = await fixture.storage.keys();
    const refused = await expectStatus(patch(unknown, blob.bytes), 404);
    expect(errorCodeOf(refused)).toBe('BLOB_UPLOAD_UNKNOWN');
    expect(await fixture.storage.keys()).toEqual(before);
    const mismatch = await expectStatus(put(path, other, blob.bytes), 400);
    expect(errorCodeOf(mismatch)).toBe('DIGEST_INVALID');
    await expectStatus(api.send('GET', path), 404);
    await expectStatus(api.send('HEAD', `/v2/${REPOSITORY}/blobs/${other.digest}`), 404);
  });

  test('whose client hangs up is appended, or not: then it can be sent again', async () => {
    for (let round = 0; round < 20; round += 1) {
      const blob = randomSample(3000);
      const path = await startUpload(api, REPOSITORY);
      const hangUp = new AbortController();
      const answer = patch(path, blob.bytes, { signal: hangUp.signal }).catch(() => undefined);
      setTimeout(() => hangUp.abort(), round / 2);
      await answer;
      await waitUntil('the end of the append', async () => {
        return (await fixture.registry.metric('pierone_active_appends')) === 0;
      });
      const { headers } = await expectStatus(api.send('GET', path), 204);
      if (headers['range'] === '0-0') await expectStatus(patch(path, blob.bytes), 202);
      else expect(headers['range']).toBe('0-2999');
      await expectStatus(api.send('PUT', `${path}?digest=${blob.digest}`), 201);
      await expectBlob(blob);
    }
  });
});

test('of bodies at the same time each is appended as a whole, or refused', async () => {
  for (let round = 0; round < 10; round += 1) {
    const path = await startUpload(api, REPOSITORY);
    const bodies = Array.from({ length: 8 }, (_, n) => Buffer.alloc(100 + n, n + 1));
    const answers = await Promise.all(bodies.map((body) => api.send('PATCH', path, { body })));
    const appended = bodies.filter((_, n) => answers[n]?.status === 202);
    expect(answers.filter(({ status }) => ![202, 409].includes(status))).toEqual([]);
    expect(appended).not.toEqual([]);
    const sizeBytes = appended.reduce((sum, { length }) => sum + length, 0);
    const { headers } = await expectStatus(api.send('GET', path), 204);
    expect(headers['range']).toBe(`0-${sizeBytes - 1}`);
  }
});
