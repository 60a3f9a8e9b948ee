import { once } from 'node:events';
import { get, type IncomingMessage } from 'node:http';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { newSegmentKey } from '../../src/storage/keys.ts';
import { openS3Store } from '../../src/storage/s3/s3-store.ts';
import type { HttpClient } from '../support/http-client.ts';
import { startPostgres, type TestPostgres } from '../support/postgres.ts';
import { openS3Scene, pushInChunks, type S3Scene } from '../support/s3-scene.ts';
import { expectStatus, pushBlob, randomSample, type Sample } from '../support/sample-content.ts';
import { sql } from '../support/test-registry.ts';
import { waitUntil } from '../support/wait-until.ts';

const MIB = 1024 * 1024;
const SOON = { COMPACT_INTERVAL: '1' };
const NEVER = { COMPACT_INTERVAL: '86400' };
const SWEEPING = { SWEEP_INTERVAL: '1', SWEEP_GRACE_HOURS: '0', HTTP_IDLE_TIMEOUT: '1' };

let postgres: TestPostgres;
let scene: S3Scene;

beforeAll(async () => {
  postgres = await startPostgres();
});

beforeEach(async () => {
  scene = await openS3Scene(postgres.url);
});

afterEach(() => scene?.close());

afterAll(() => postgres?.stop());

function untilJoined(blob: Sample) {
  return waitUntil('one object', async () => (await scene.segmentsOf(blob)).length === 1);
}

async function expectBlob(api: HttpClient, repository: string, { digest, bytes }: Sample) {
  const path = `/v2/${repository}/blobs/${digest}`;
  const whole = await expectStatus(api.send('GET', path), 200);
  expect(whole.body.equals(bytes)).toBe(true);
  const [first, last] = [bytes.length >> 2, bytes.length >> 1];
  const headers = { Range: `bytes=${first}-${last}` };
  const range = await expectStatus(api.send('GET', path, { headers }), 206);
  expect(range.body.equals(bytes.subarray(first, last + 1))).toBe(true);
}

/** Lets a day pass for the objects that were replaced. */
async function letADayPass(): Promise<void> {
  await sql(scene.databaseUrl, `update deletions set since = since - interval '25 h'`);
}

function logged(name: string): number[] {
  const count = new RegExp(`"${name}":(\\d+)`);
  return scene.log.flatMap((line) => count.exec(line)?.slice(1) ?? []).map(Number);
}

function errors(): string[] {
  return scene.log.filter((line) => /"level":"(error|warn)"/.test(line));
}

test('a blob of several chunks becomes one object and reads the same, wherever it is mounted', async () => {
  const { api } = await scene.start(SOON);
  const blob = randomSample(20 * MIB + 7);
  const small = randomSample(100_000);
  await pushBlob(api, 'compact/whole', small);
  const untouched = await scene.segmentsOf(small);
  await pushInChunks(api, 'compact/chunks', blob, 6 * MIB);
  const mount = `/v2/compact/mounted/blobs/uploads/?mount=${blob.digest}&from=compact/chunks`;
  await expectStatus(api.send('POST', mount), 201);
  await untilJoined(blob);
  await expectBlob(api, 'compact/chunks', blob);
  await expectBlob(api, 'compact/mounted', blob);
  await expectBlob((await scene.start(NEVER)).api, 'compact/mounted', blob);
  expect(await scene.segmentsOf(small)).toEqual(untouched);
  expect(await scene.bucket.listUploads()).toEqual([]);
  expect(errors()).toEqual([]);
});

test('many small chunks become one object', async () => {
  const { api } = await scene.start(SOON);
  const blob = randomSample(12 * MIB + 1);
  await pushInChunks(api, 'compact/small', blob, 512 * 1024);
  await untilJoined(blob);
  await expectBlob(api, 'compact/small', blob);
});

test('replaced objects are kept for a day, also when the grace is 0, and go then', async () => {
  const { api } = await scene.start({ ...SWEEPING, ...NEVER });
  const blob = randomSample(15 * MIB);
  await pushInChunks(api, 'compact/replaced', blob, 5 * MIB);
  const replaced = await scene.segmentsOf(blob);
  expect(replaced).toHaveLength(3);
  await scene.start({ ...SWEEPING, ...SOON });
  await untilJoined(blob);
  const [joined] = await scene.segmentsOf(blob);
  const rows = await sql<{ key: string; is_for_a_day: boolean }>(
    scene.databaseUrl,
    `select key, since > now() + interval '23 h' as is_for_a_day from deletions order by key`,
  );
  const keys = replaced.map(({ key }) => key).toSorted();
  expect(rows).toEqual(keys.map((key) => ({ key, is_for_a_day: true })));
  expect(await scene.bucket.listObjects()).toEqual(expect.arrayContaining(keys));
  await letADayPass();
  await waitUntil('the end of the replaced objects', async () => {
    return (await scene.bucket.listObjects()).join() === ['registry-id', joined?.key].join();
  });
  // Its place is remembered from before.
  await expectBlob(api, 'compact/replaced', blob);
});

test('a reader in mid-stream goes on, also when the objects it began with are gone', async () => {
  const { url } = await scene.start(NEVER);
  const blob = randomSample(96 * MIB);
  await pushInChunks((await scene.start(NEVER)).api, 'compact/reader', blob, 6 * MIB);
  const replaced = await scene.segmentsOf(blob);
  const response = await openReader(`${url}/v2/compact/reader/blobs/${blob.digest}`);
  const pieces: Buffer[] = [await firstPiece(response)];
  await scene.start({ ...SWEEPING, ...SOON });
  await untilJoined(blob);
  await letADayPass();
  await waitUntil('the end of the replaced objects', async () => {
    const keys = await scene.bucket.listObjects();
    return replaced.every(({ key }) => !keys.includes(key));
  });
  for await (const piece of response) pieces.push(piece);
  expect(Buffer.concat(pieces).equals(blob.bytes)).toBe(true);
});

async function openReader(url: string): Promise<IncomingMessage> {
  const request = get(url, { agent: false });
  return new Promise((resolve, reject) => {
    request.once('error', reject);
    request.once('response', resolve);
  });
}

async function firstPiece(response: IncomingMessage): Promise<Buffer> {
  await once(response, 'readable');
  const piece: unknown = response.read();
  if (!(piece instanceof Buffer)) throw new Error('no bytes');
  return piece;
}

test('of two instances one compacts at a time: each blob is joined once', async () => {
  const { api } = await scene.start(NEVER);
  const blobs = Array.from({ length: 6 }, () => randomSample(11 * MIB));
  for (const blob of blobs) await pushInChunks(api, 'compact/two', blob, 3 * MIB);
  const before = await scene.bucket.listObjects();
  await Promise.all([scene.start(SOON), scene.start(SOON)]);
  for (const blob of blobs) await untilJoined(blob);
  for (const blob of blobs) await expectBlob(api, 'compact/two', blob);
  expect(await scene.bucket.listObjects()).toHaveLength(before.length + blobs.length);
  await waitUntil('the log', () => {
    return logged('joinedBlobs').reduce((sum, count) => sum + count, 0) === blobs.length;
  });
  expect(errors()).toEqual([]);
});

test('what a process leaves that is killed between join and commit is swept; the blob is joined later', async () => {
  const { api } = await scene.start(NEVER);
  const blob = randomSample(18 * MIB);
  await pushInChunks(api, 'compact/killed', blob, 6 * MIB);
  const left = newSegmentKey();
  await openS3Store(scene.bucket.location).joiner?.join(left, await scene.segmentsOf(blob));
  expect(await scene.bucket.listObjects()).toContain(left);
  await scene.start({ ...SWEEPING, ...SOON });
  await untilJoined(blob);
  await waitUntil('its end', async () => !(await scene.bucket.listObjects()).includes(left));
  await expectBlob(api, 'compact/killed', blob);
});

test('a blob that lost an object is logged and skipped; the others are joined', async () => {
  const { api } = await scene.start(NEVER);
  const blobs = Array.from({ length: 3 }, () => randomSample(7 * MIB));
  for (const blob of blobs) await pushInChunks(api, 'compact/lost', blob, 3 * MIB);
  // The first in the order in which they are joined.
  const [broken, ...whole] = blobs.toSorted((a, b) => (a.digest < b.digest ? -1 : 1));
  if (!broken) throw new Error('no blob');
  const [, lost] = await scene.segmentsOf(broken);
  await openS3Store(scene.bucket.location).delete([lost?.key ?? '']);
  await scene.start(SOON);
  for (const blob of whole) await untilJoined(blob);
  for (const blob of whole) await expectBlob(api, 'compact/lost', blob);
  expect(await scene.segmentsOf(broken)).toHaveLength(3);
  await waitUntil('the log', () => logged('failedBlobs').includes(1));
  const warnings = errors();
  expect(warnings).toHaveLength(1);
  expect(warnings[0]).toContain(broken.digest);
  expect(warnings[0]).toContain(lost?.key);
  expect(await scene.bucket.listUploads()).toEqual([]);
});

test('a registry that ends in the middle of a join leaves nothing of it', async () => {
  const { api } = await scene.start(NEVER);
  const blob = randomSample(180 * MIB);
  await pushInChunks(api, 'compact/end', blob, 6 * MIB);
  const before = await scene.bucket.listObjects();
  const compacting = await scene.start(SOON);
  await waitUntil('a join', async () => (await scene.bucket.listUploads()).length > 0);
  await compacting.close();
  expect(await scene.bucket.listUploads()).toEqual([]);
  expect(await scene.bucket.listObjects()).toEqual(before);
  expect(await scene.segmentsOf(blob)).toHaveLength(30);
  expect(errors()).toEqual([]);
});
