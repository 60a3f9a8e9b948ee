import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { parseRepositoryName } from '../../src/oci/repository-name.ts';
import { UploadIds } from '../../src/registry/upload-ids.ts';
import { openIngestPool } from '../../src/workers/ingest-pool.ts';
import { alterCommits } from '../support/altered-commits.ts';
import { errorCodeOf, type HttpClient, type HttpOptions } from '../support/http-client.ts';
import {
  digestOf,
  expectStatus,
  randomSample,
  type Sample,
  sampleOf,
  startUpload,
} from '../support/sample-content.ts';
import {
  openFixture,
  type RegistryFixture,
  sql,
  startRegistry,
  type TestRegistry,
} from '../support/test-registry.ts';
import { watch } from '../support/transport-harness.ts';
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
    expect(sent).toEqual({ 'upload-create-with': 1 });
    const closing = await sentBy(() => api.send('PUT', `${path}?digest=${blob.digest}`));
    expect(closing).toEqual({ 'upload-close': 1 });
    await expectBlob(blob);
  });

  test('is one statement of a PUT, and of a POST that has it', async () => {
    const [blob, other] = [randomSample(3000), randomSample(3000)];
    const path = await startUpload(api, REPOSITORY);
    const closing = await sentBy(() => expectStatus(put(path, blob, blob.bytes), 201));
    expect(closing).toEqual({ 'upload-put': 1 });
    await expectBlob(blob);
    const start = `/v2/${REPOSITORY}/blobs/uploads/?digest=${other.digest}`;
    const whole = await sentBy(() =>
      expectStatus(api.send('POST', start, { ...coding, body: other.bytes }), 201),
    );
    expect(whole).toEqual(closing);
    await expectBlob(other);
  });

  test('of a PUT is digested by what the digest names', async () => {
    const { bytes } = randomSample(3000);
    const blob = { bytes, digest: digestOf(bytes, 'sha512') };
    const path = await startUpload(api, REPOSITORY);
    const closing = await sentBy(() => expectStatus(put(path, blob, bytes), 201));
    expect(closing).toEqual({ 'upload-put': 1 });
    await expectBlob(blob);
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
});

describe('an upload that nothing was sent to', () => {
  test('can be cancelled, and is unknown then', async () => {
    const path = await startUpload(api, REPOSITORY);
    await expectStatus(api.send('GET', path), 204);
    await expectStatus(api.send('DELETE', path), 204);
    for (const method of ['GET', 'PATCH', 'DELETE'] as const) {
      const body = method === 'PATCH' ? { body: 'hello' } : {};
      await expectStatus(api.send(method, path, body), 404);
    }
    const { digest, bytes } = randomSample(10);
    await expectStatus(api.send('PUT', `${path}?digest=${digest}`, { body: bytes }), 404);
  });

  test('is unknown when its id is from yesterday', async () => {
    const [registry] = await sql<{ id: string }>(fixture.database.url, 'select id from registry');
    const repository = parseRepositoryName(REPOSITORY);
    if (!registry || !repository) throw new Error('there is no registry');
    const idOf = (hoursAgo: number) =>
      new UploadIds(registry.id, Infinity, () => Date.now() - hoursAgo * 3_600_000).give(
        repository,
        'sha256',
      );
    const { digest, bytes } = randomSample(10);
    for (const [hoursAgo, isKnown] of [
      [24, false],
      [22, true],
    ] as const) {
      const path = `/v2/${REPOSITORY}/blobs/uploads/${idOf(hoursAgo)}`;
      expect((await api.send('GET', path)).status).toBe(isKnown ? 204 : 404);
      const closing = api.send('PUT', `${path}?digest=${digest}`, { body: bytes });
      expect((await closing).status).toBe(isKnown ? 201 : 404);
    }
  });
});

test('an empty body in chunked coding appends nothing', async () => {
  const path = await startUpload(api, REPOSITORY);
  const { headers } = await expectStatus(api.send('PATCH', path, { isChunked: true }), 202);
  expect(headers['range']).toBe('0-0');
});

describe('beside a first append that is not committed yet', () => {
  let slow: TestRegistry;
  /** Lets it be committed. */
  let goOn: () => void;

  beforeEach(async () => {
    const gate = new Promise<void>((resolve) => {
      goOn = resolve;
    });
    const { database, storage } = fixture;
    slow = await startRegistry({
      databaseUrl: database.url,
      directory: storage.path,
      overrides: {
        openIngest: (options) =>
          alterCommits(openIngestPool(options), async (commit) => {
            await gate;
            await commit();
          }),
      },
    });
  });

  afterEach(async () => {
    goOn();
    await slow?.close();
  });

  async function begin({ bytes }: Sample, signal?: AbortSignal) {
    const path = await startUpload(slow.api, REPOSITORY);
    const answer = slow.api.send('PATCH', path, { body: bytes, ...(signal && { signal }) });
    answer.catch(() => undefined);
    await untilBegun();
    return { path, answer };
  }

  function untilBegun() {
    return waitUntil('the append to begin', async () => {
      return (await slow.metric('pierone_active_appends')) === 1;
    });
  }

  test('another one is refused', async () => {
    const blob = randomSample(3000);
    const { path, answer } = await begin(blob);
    const other = await expectStatus(slow.api.send('PATCH', path, { body: 'other' }), 409);
    expect(errorCodeOf(other)).toBe('BLOB_UPLOAD_INVALID');
    await expectStatus(slow.api.send('DELETE', path), 409);
    goOn();
    expect((await answer).status).toBe(202);
    await expectStatus(slow.api.send('PUT', `${path}?digest=${blob.digest}`), 201);
    await expectBlob(blob);
  });

  test('the status waits for it when its client has gone: nothing came of it, and it can be sent again', async () => {
    const blob = randomSample(3000);
    const hangUp = new AbortController();
    const { path } = await begin(blob, hangUp.signal);
    hangUp.abort();
    const status = watch(slow.api.send('GET', path));
    await delay(500);
    expect(status.isSettled).toBe(false);
    goOn();
    expect((await status.promise).headers['range']).toBe('0-0');
    await expectStatus(slow.api.send('PATCH', path, { body: blob.bytes }), 202);
    await expectStatus(slow.api.send('PUT', `${path}?digest=${blob.digest}`), 201);
    await expectBlob(blob);
  });

  test.each([
    ['the same bytes', 0, 3000],
    ['a part of them', 0, 1000],
  ])('%s that another instance took meanwhile are not followed by it', async (_, from, to) => {
    const blob = randomSample(3000);
    const { path, answer } = await begin(blob);
    const other = { body: blob.bytes.subarray(from, to) };
    await expectStatus(api.send('PATCH', path, other), 202);
    goOn();
    expect((await answer).status).toBe(409);
    if (to < 3000)
      await expectStatus(api.send('PATCH', path, { body: blob.bytes.subarray(to) }), 202);
    await expectStatus(api.send('PUT', `${path}?digest=${blob.digest}`), 201);
    await expectBlob(blob);
  });

  test('an upload that another instance took bytes of before is gone on with', async () => {
    goOn();
    const half = Buffer.alloc(1500, 'a');
    const blob = sampleOf(Buffer.concat([half, half]));
    const path = await startUpload(slow.api, REPOSITORY);
    await expectStatus(api.send('PATCH', path, { body: half }), 202);
    await expectStatus(slow.api.send('PATCH', path, { body: half }), 202);
    await expectStatus(api.send('PUT', `${path}?digest=${blob.digest}`), 201);
    await expectBlob(blob);
  });

  test('a closing PUT that is repeated at another instance is 201 at both, and nothing is left', async () => {
    const blob = randomSample(3000);
    const path = await startUpload(slow.api, REPOSITORY);
    const before = await fixture.storage.keys();
    const put = { body: blob.bytes };
    const closing = slow.api.send('PUT', `${path}?digest=${blob.digest}`, put);
    await untilBegun();
    await expectStatus(api.send('PUT', `${path}?digest=${blob.digest}`, put), 201);
    goOn();
    expect((await closing).status).toBe(201);
    expect((await fixture.storage.keys()).length).toBe(before.length + 1);
    await expectBlob(blob);
  });

  test('an upload that another instance cancelled stays so, and nothing is left', async () => {
    const before = await fixture.storage.keys();
    const { path, answer } = await begin(randomSample(3000));
    await expectStatus(api.send('DELETE', path), 204);
    goOn();
    expect((await answer).status).toBe(404);
    expect(await fixture.storage.keys()).toEqual(before);
  });
});

test('of bodies at the same time each is appended as a whole, or refused', async () => {
  for (let round = 0; round < 10; round += 1) {
    const path = await startUpload(api, REPOSITORY);
    const bodies = Array.from({ length: 8 }, (_, n) => Buffer.alloc(100 + n, n + 1));
    const answers = await Promise.all(bodies.map((body) => api.send('PATCH', path, { body })));
    expect(answers.filter(({ status }) => ![202, 409].includes(status))).toEqual([]);
    const ends = answers.map(({ headers }) => Number(headers['range']?.split('-')[1]));
    const appended = bodies
      .map((body, n) => ({ body, end: ends[n] ?? Number.NaN }))
      .filter((_, n) => answers[n]?.status === 202)
      .toSorted((one, other) => one.end - other.end);
    const bytes = Buffer.concat(appended.map(({ body }) => body));
    expect(appended.at(-1)?.end).toBe(bytes.length - 1);
    const blob = { bytes, digest: digestOf(bytes) };
    await expectStatus(api.send('PUT', `${path}?digest=${blob.digest}`), 201);
    await expectBlob(blob);
  }
});
