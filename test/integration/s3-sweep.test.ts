import {
  CreateMultipartUploadCommand,
  PutObjectCommand,
  UploadPartCommand,
} from '@aws-sdk/client-s3';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { newSegmentKey, REGISTRY_ID_KEY } from '../../src/storage/keys.ts';
import { openS3Store } from '../../src/storage/s3/s3-store.ts';
import type { HttpClient } from '../support/http-client.ts';
import { startPostgres, type TestPostgres } from '../support/postgres.ts';
import { openS3Scene, pushInChunks, type S3Scene } from '../support/s3-scene.ts';
import {
  expectStatus,
  pushBlob,
  randomSample,
  type Sample,
  startUpload,
} from '../support/sample-content.ts';
import { sql } from '../support/test-registry.ts';
import { waitUntil } from '../support/wait-until.ts';

const MIB = 1024 * 1024;
/** An append counts as running for twice the idle time-out after its last byte. */
const AT_ONCE = {
  SWEEP_INTERVAL: '1',
  SWEEP_GRACE_HOURS: '0',
  HTTP_IDLE_TIMEOUT: '1',
  HTTP_MIN_RATE: '1',
};
const AFTER_A_DAY = { ...AT_ONCE, SWEEP_GRACE_HOURS: '24' };

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

async function put(Key: string, Body = 'left behind'): Promise<string> {
  const { client, name: Bucket } = scene.bucket;
  await client.send(new PutObjectCommand({ Bucket, Key, Body }));
  return Key;
}

/** An upload with a part, as a process leaves it that is killed. */
async function leaveUpload(Key: string): Promise<string> {
  const { client, name: Bucket } = scene.bucket;
  const { UploadId } = await client.send(new CreateMultipartUploadCommand({ Bucket, Key }));
  const part = { Bucket, Key, UploadId, PartNumber: 1, Body: 'left behind' };
  await client.send(new UploadPartCommand(part));
  return Key;
}

/** An object that came by an upload of several parts. */
async function leaveLargeObject(): Promise<string> {
  const store = openS3Store(scene.bucket.location);
  const key = newSegmentKey();
  const writer = await store.create(key);
  await writer.write(randomSample(17 * MIB).bytes);
  await writer.close();
  return key;
}

async function untilGone(key: string): Promise<void> {
  await waitUntil(`the end of ${key}`, async () => {
    const { bucket } = scene;
    return ![...(await bucket.listObjects()), ...(await bucket.listUploads())].includes(key);
  });
}

async function expectBlob(api: HttpClient, repository: string, { digest, bytes }: Sample) {
  const { body } = await expectStatus(api.send('GET', `/v2/${repository}/blobs/${digest}`), 200);
  expect(body.equals(bytes)).toBe(true);
}

test('with a grace of 0 nothing is left that no row names, objects or uploads', async () => {
  const { api } = await scene.start(AT_ONCE);
  const blob = randomSample(10 * MIB);
  const open = randomSample(1000);
  await pushInChunks(api, 'sweep/blobs', blob, 9 * MIB);
  const upload = await startUpload(api, 'sweep/blobs');
  await expectStatus(api.send('PATCH', upload, { body: open.bytes }), 202);
  const kept = await scene.bucket.listObjects();
  expect(kept).toHaveLength(4);
  const left = [
    await put(newSegmentKey()),
    await leaveLargeObject(),
    await leaveUpload(newSegmentKey()),
  ];
  for (const key of left) await untilGone(key);
  expect(await scene.bucket.listObjects()).toEqual(kept);
  expect(await scene.bucket.listUploads()).toEqual([]);
  await waitUntil('the end of the list', async () => {
    return (await sql(scene.databaseUrl, 'select from deletions')).length === 0;
  });
  await expectBlob(api, 'sweep/blobs', blob);
  await expectStatus(api.send('PUT', `${upload}?digest=${open.digest}`), 201);
  await expectBlob(api, 'sweep/blobs', open);
});

test('a sink, whose lock is held all the time, keeps nothing from being removed', async () => {
  await scene.start({
    ...AT_ONCE,
    API_SNS_TOPIC_ARN: 'arn:aws:sns:eu-central-1:123456789012:pierone',
    API_SNS_ENDPOINT: 'http://127.0.0.1:9',
  });
  await waitUntil('the sink', async () => {
    return (await sql(scene.databaseUrl, 'select from outbox_sinks')).length === 1;
  });
  await untilGone(await leaveUpload(newSegmentKey()));
});

test('a running append is spared, however slow it is; what was left before goes after it', async () => {
  const { api } = await scene.start(AT_ONCE);
  // Its sweeps spare what another instance is writing, too.
  await scene.start(AT_ONCE);
  const blob = randomSample(10 * MIB);
  const path = await startUpload(api, 'sweep/running');
  const append = api.open('PUT', `${path}?digest=${blob.digest}`);
  let sent = 9 * MIB;
  await append.write(blob.bytes.subarray(0, sent));
  const [running] = await waitUntil('its upload', async () => {
    const keys = await scene.bucket.listUploads();
    return keys.length > 0 && keys;
  });
  const left = await leaveUpload(newSegmentKey());
  const trickle = setInterval(() => {
    void append.write(blob.bytes.subarray(sent, sent + 100)).catch(() => undefined);
    sent += 100;
  }, 100);
  try {
    // Sweeps enough to have removed it, were it dead.
    for (let round = 0; round < 3; round += 1) await untilGone(await put(newSegmentKey()));
    expect(await scene.bucket.listUploads()).toContain(running);
  } finally {
    clearInterval(trickle);
  }
  append.end(blob.bytes.subarray(sent));
  expect((await append.answer).status).toBe(201);
  await expectBlob(api, 'sweep/running', blob);
  await untilGone(left);
});

test('with the default grace nothing goes that is younger than a day', async () => {
  const { api } = await scene.start(AFTER_A_DAY);
  const left = await put(newSegmentKey());
  const upload = await leaveUpload(newSegmentKey());
  const due = await put(newSegmentKey());
  const listed = await waitUntil('its place on the list', async () => {
    const rows = await sql<{ key: string }>(scene.databaseUrl, 'select key from deletions');
    return rows.length === 2 && rows;
  });
  expect(listed.map(({ key }) => key).toSorted()).toEqual([left, due].toSorted());
  await sql(
    scene.databaseUrl,
    `update deletions set since = now() - interval '25 h' where key = $1`,
    [due],
  );
  await untilGone(due);
  const blob = randomSample(1000);
  await pushBlob(api, 'sweep/young', blob);
  expect(await scene.bucket.listObjects()).toContain(left);
  expect(await scene.bucket.listUploads()).toEqual([upload]);
});

test('only what lies below the prefix is swept', async () => {
  const prefix = 'team/a/';
  const { api } = await scene.start({ ...AT_ONCE, STORAGE_S3_PREFIX: prefix });
  const key = newSegmentKey();
  const names = [key, `team/b/${key}`, `team/a-${key}`, `${prefix}other/${key}`];
  for (const name of names) await put(name);
  const uploads = names.map((name) => `${name}-upload`);
  for (const name of uploads) await leaveUpload(name);
  const blob = randomSample(1000);
  await pushBlob(api, 'sweep/prefix', blob);
  const left = [await put(`${prefix}${key}`), await leaveUpload(`${prefix}${key}-upload`)];
  for (const name of left) await untilGone(name);
  expect(await scene.bucket.listObjects()).toEqual(expect.arrayContaining(names));
  expect((await scene.bucket.listUploads()).toSorted()).toEqual(uploads.toSorted());
  await expectBlob(api, 'sweep/prefix', blob);
});

test('a bucket that carries the id of another registry is not swept', async () => {
  await scene.start(AT_ONCE);
  await untilGone(await put(newSegmentKey()));
  await put(REGISTRY_ID_KEY, '00000000-0000-4000-8000-000000000000\n');
  const left = await put(newSegmentKey());
  const upload = await leaveUpload(newSegmentKey());
  const refusals = () => scene.log.filter((line) => line.includes('nothing is swept')).length;
  await waitUntil('refused sweeps', () => refusals() >= 4);
  expect(await scene.bucket.listObjects()).toContain(left);
  expect(await scene.bucket.listUploads()).toEqual([upload]);
});
