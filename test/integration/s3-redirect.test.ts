import { DeleteObjectCommand } from '@aws-sdk/client-s3';
import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { HttpClient } from '../support/http-client.ts';
import type { RgwAddress } from '../support/rgw.ts';
import {
  expectStatus,
  pushBlob,
  randomSample,
  type Sample,
  startUpload,
} from '../support/sample-content.ts';
import type { ServerProcess } from '../support/server.ts';
import { useServers } from '../support/server-fixture.ts';
import { createBucket, credentialsFor, sharedRgw, type TestBucket } from '../support/shared-rgw.ts';
import { waitUntil } from '../support/wait-until.ts';

const REPOSITORY = 'redirect/blobs';

const fixture = useServers();

let rgw: RgwAddress;
let bucket: TestBucket;
let server: ServerProcess;
let api: HttpClient;
let blob: Sample;

beforeAll(async () => {
  rgw = await sharedRgw();
});

beforeEach(async () => {
  bucket = await createBucket(rgw);
  blob = randomSample(100_000);
});

afterEach(() => bucket.dispose());

/** With a blob in one object. */
async function start(environment: Record<string, string> = {}): Promise<void> {
  const started = await fixture.start({
    ...credentialsFor(rgw),
    STORAGE_S3_BUCKET: bucket.name,
    STORAGE_S3_ENDPOINT: rgw.endpoint,
    STORAGE_S3_EXTERNAL_STORE: 'true',
    SYSTEM_LOG_LEVEL: 'trace',
    ...environment,
  });
  ({ server, api } = started);
  await pushBlob(api, REPOSITORY, blob);
}

function get(headers: Record<string, string> = {}) {
  return api.send('GET', pathOf(blob), { headers });
}

function pathOf({ digest }: Sample): string {
  return `/v2/${REPOSITORY}/blobs/${digest}`;
}

/** A blob of two objects. */
async function pushInTwo({ bytes, digest }: Sample, firstBytes: number): Promise<void> {
  const path = await startUpload(api, REPOSITORY);
  for (const body of [bytes.subarray(0, firstBytes), bytes.subarray(firstBytes)]) {
    await expectStatus(api.send('PATCH', path, { body }), 202);
  }
  await expectStatus(api.send('PUT', `${path}?digest=${digest}`), 201);
}

async function link(): Promise<URL> {
  return new URL((await expectStatus(get(), 307)).headers['location'] ?? '');
}

/** As a client does: a request of its own, to the other host. */
function follow(url: URL, headers: Record<string, string> = {}) {
  return new HttpClient(url.origin).send('GET', `${url.pathname}${url.search}`, { headers });
}

describe('GET of a blob in one object', () => {
  test('is answered by 307 with a URL that nobody keeps, and by which S3 sends the bytes', async () => {
    await start();
    const { headers, body } = await expectStatus(get(), 307);
    expect(headers).toMatchObject({
      'docker-content-digest': blob.digest,
      'docker-distribution-api-version': 'registry/2.0',
      'cache-control': 'no-store',
    });
    expect(headers['location']).toMatch(new RegExp(`^${rgw.endpoint}/${bucket.name}/segments/`));
    expect(body).toHaveLength(0);
    const answer = await expectStatus(follow(await link()), 200);
    expect(answer.headers['content-type']).toBe('application/octet-stream');
    expect(answer.body.equals(blob.bytes)).toBe(true);
  });

  test('a range is for S3 to cut out', async () => {
    await start();
    const range = { Range: 'bytes=10-19' };
    const { headers } = await expectStatus(get(range), 307);
    const answer = await expectStatus(follow(new URL(headers['location'] ?? ''), range), 206);
    expect(answer.body.equals(blob.bytes.subarray(10, 20))).toBe(true);
  });

  test('conditions do not apply to a redirect: the ETag of S3 is another one', async () => {
    await start();
    await expectStatus(get({ 'If-None-Match': `"${blob.digest}"` }), 307);
    await expectStatus(get({ 'If-Match': '"that-of-s3"' }), 307);
  });

  test('the URL names the host that clients see', async () => {
    const external = rgw.endpoint.replace('127.0.0.1', 'localhost');
    await start({ STORAGE_S3_EXTERNAL_ENDPOINT: external });
    const url = await link();
    expect(url.origin).toBe(external);
    expect((await expectStatus(follow(url), 200)).body.equals(blob.bytes)).toBe(true);
  });
});

describe('no redirect', () => {
  test('for HEAD', async () => {
    await start();
    const { headers } = await expectStatus(api.send('HEAD', pathOf(blob)), 200);
    expect(headers).toMatchObject({
      'content-length': String(blob.bytes.length),
      'docker-content-digest': blob.digest,
    });
    expect(headers['location']).toBeUndefined();
  });

  test('for a blob in several objects: it is streamed', async () => {
    await start();
    const parted = randomSample(30_000);
    await pushInTwo(parted, 10_000);
    const { body } = await expectStatus(api.send('GET', pathOf(parted)), 200);
    expect(body.equals(parted.bytes)).toBe(true);
    const range = { headers: { Range: 'bytes=9990-10009' } };
    const part = await expectStatus(api.send('GET', pathOf(parted), range), 206);
    expect(part.body.equals(parted.bytes.subarray(9990, 10_010))).toBe(true);
  });

  test('to what the repository does not have', async () => {
    await start();
    await expectStatus(api.send('GET', pathOf(randomSample(10))), 404);
    await expectStatus(api.send('GET', `/v2/redirect/other/blobs/${blob.digest}`), 404);
  });

  test('unless STORAGE_S3_EXTERNAL_STORE says so', async () => {
    await start({ STORAGE_S3_EXTERNAL_STORE: 'false' });
    expect((await expectStatus(get(), 200)).body.equals(blob.bytes)).toBe(true);
  });
});

describe('the URL opens', () => {
  test('this object alone, and only for reading', async () => {
    await start();
    const url = await link();
    const forged = new URL(url);
    forged.searchParams.set('X-Amz-Signature', '0'.repeat(64));
    await expectStatus(follow(forged), 403);
    const elsewhere = new URL(url);
    elsewhere.pathname = `/${bucket.name}/registry-id`;
    await expectStatus(follow(elsewhere), 403);
    const path = `${url.pathname}${url.search}`;
    await expectStatus(new HttpClient(url.origin).send('DELETE', path), 403);
    await expectStatus(follow(url), 200);
  });

  test('it for STORAGE_S3_URL_EXPIRATION', async () => {
    await start({ STORAGE_S3_URL_EXPIRATION: '1500' });
    const url = await link();
    // Whole seconds, rounded up.
    expect(url.searchParams.get('X-Amz-Expires')).toBe('2');
    await waitUntil('the URL to expire', async () => (await follow(url)).status === 403);
  });
});

test('no signature is in any line of the log, also when S3 refuses', async () => {
  await start();
  const signatures = [(await link()).searchParams.get('X-Amz-Signature') ?? ''];
  await expectStatus(api.send('HEAD', pathOf(blob)), 200);
  await expectStatus(api.send('GET', pathOf(randomSample(10))), 404);
  const gone = new HttpClient(server.url).open('GET', pathOf(blob));
  gone.cut();
  await loseObjects();
  signatures.push((await link()).searchParams.get('X-Amz-Signature') ?? '');
  const parted = randomSample(20);
  await pushInTwo(parted, 10);
  await loseObjects();
  await api.send('GET', pathOf(parted)).catch(() => undefined);
  await waitUntil('the missing object to be told', async () => server.log.some(isError));
  const output = JSON.stringify([server.log, server.stderr]);
  expect(signatures.every((signature) => /^[0-9a-f]{64}$/.test(signature))).toBe(true);
  for (const signature of signatures) expect(output).not.toContain(signature);
  expect(output).not.toMatch(/X-Amz-|AWS4-HMAC|Signature=/i);
  expect(output).not.toContain(rgw.secretKey);
});

/** All but the registry id. */
async function loseObjects(): Promise<void> {
  for (const Key of await bucket.listObjects()) {
    if (Key === 'registry-id') continue;
    await bucket.client.send(new DeleteObjectCommand({ Bucket: bucket.name, Key }));
  }
}

function isError(line: Readonly<Record<string, unknown>>): boolean {
  return line['level'] === 'error';
}
