import { PutBucketPolicyCommand } from '@aws-sdk/client-s3';
import { afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { openStore } from '../../src/storage/open-store.ts';
import type { RgwAddress } from '../support/rgw.ts';
import { pushBlob, randomSample } from '../support/sample-content.ts';
import { useServers } from '../support/server-fixture.ts';
import { createBucket, credentialsFor, sharedRgw, type TestBucket } from '../support/shared-rgw.ts';
import { createDatabase } from '../support/test-registry.ts';
import { waitUntil } from '../support/wait-until.ts';

const fixture = useServers();

let rgw: RgwAddress;
let bucket: TestBucket;

beforeAll(async () => {
  rgw = await sharedRgw();
});

beforeEach(async () => {
  bucket = await createBucket(rgw);
});

afterEach(async () => {
  vi.useRealTimers();
  await allow();
  await bucket.dispose();
});

function settings(): Record<string, string> {
  return {
    ...credentialsFor(rgw),
    STORAGE_S3_BUCKET: bucket.name,
    STORAGE_S3_ENDPOINT: rgw.endpoint,
    STORAGE_S3_PREFIX: 'team/registry',
  };
}

/** A start that must fail: by exit code 1, and with one sentence for people, in which no secret is. */
async function expectRefusal(environment: Record<string, string>, sentence: RegExp) {
  const error: unknown = await fixture
    .start({ ...settings(), ...environment })
    .catch((failure: unknown) => failure);
  const text = error instanceof Error ? error.message : 'it started';
  expect(text).toMatch(sentence);
  expect(text).toContain('ended with code 1');
  expect(text).not.toMatch(/^ +at /m);
  expect(text).not.toContain(rgw.secretKey);
}

/** A policy that denies actions to everyone, the owner too. */
async function deny(...actions: string[]): Promise<void> {
  const Resource = [`arn:aws:s3:::${bucket.name}`, `arn:aws:s3:::${bucket.name}/*`];
  await setPolicy({ Effect: 'Deny', Principal: '*', Action: actions, Resource });
}

/** Denies nothing that anybody does. */
async function allow(): Promise<void> {
  const Resource = `arn:aws:s3:::${bucket.name}`;
  await setPolicy({ Effect: 'Deny', Principal: '*', Action: 's3:DeleteBucketWebsite', Resource });
}

async function setPolicy(statement: object): Promise<void> {
  const Policy = JSON.stringify({ Version: '2012-10-17', Statement: [statement] });
  await bucket.client.send(new PutBucketPolicyCommand({ Bucket: bucket.name, Policy }));
}

test('a bucket that can be used carries the registry id and the layers, below the prefix, and nothing else', async () => {
  const { server, api } = await fixture.start(settings());
  const sentence = `Layers are kept in the S3 bucket ${bucket.name}, below team/registry/, at ${rgw.endpoint} (us-east-1).`;
  await waitUntil('the sentence', () => server.stderr.join('\n').includes(sentence));
  const blob = randomSample(10_000);
  await pushBlob(api, 'start/bucket', blob);
  const { body } = await api.send('GET', `/v2/start/bucket/blobs/${blob.digest}`);
  expect(body.equals(blob.bytes)).toBe(true);
  expect(await bucket.listObjects()).toEqual([
    'team/registry/registry-id',
    expect.stringMatching(/^team\/registry\/segments\/[0-9a-f]{2}\/[0-9a-f]{32}$/),
  ]);
  expect(await bucket.listUploads()).toEqual([]);
});

test('a second start, and checksums and signed bodies, do no harm', async () => {
  const first = await fixture.start(settings());
  await first.server.stop();
  await fixture.start({
    ...settings(),
    STORAGE_S3_CHECKSUM: 'crc32',
    STORAGE_S3_SIGN_PAYLOAD: 'false',
  });
  expect(await bucket.listObjects()).toEqual(['team/registry/registry-id']);
});

describe('refused with a sentence that says what to do', () => {
  test('no such bucket', () =>
    expectRefusal(
      { STORAGE_S3_BUCKET: 'there-is-none' },
      /^pierone: S3 at http:.*: there is no bucket there-is-none: create it, or correct STORAGE_S3_BUCKET/m,
    ));

  test('an access key that S3 does not know', () =>
    expectRefusal({ AWS_ACCESS_KEY_ID: 'unknown' }, /^pierone: .*: correct AWS_ACCESS_KEY_ID$/m));

  test('a wrong secret key', () =>
    expectRefusal(
      { AWS_SECRET_ACCESS_KEY: 'wrong' },
      /^pierone: .*: correct AWS_SECRET_ACCESS_KEY/m,
    ));

  test('no credentials', () =>
    expectRefusal(
      {
        AWS_ACCESS_KEY_ID: '',
        AWS_SECRET_ACCESS_KEY: '',
        AWS_EC2_METADATA_DISABLED: 'true',
        HOME: fixture.storage.path,
      },
      /^pierone: .*: there are no credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or/m,
    ));

  test('an endpoint where nobody listens', () =>
    expectRefusal(
      { STORAGE_S3_ENDPOINT: 'http://127.0.0.1:1' },
      /^pierone: S3 at http:\/\/127\.0\.0\.1:1, .* can not be reached \(ECONNREFUSED\): correct STORAGE_S3_ENDPOINT/m,
    ));

  test('an endpoint that speaks no TLS', () =>
    expectRefusal(
      { STORAGE_S3_ENDPOINT: rgw.endpoint.replace('http:', 'https:') },
      /^pierone: .*: it does not speak TLS: is the endpoint one of http:\/\/\?$/m,
    ));

  test('an endpoint that does not speak S3', async () => {
    const { server } = await fixture.start();
    await expectRefusal(
      { STORAGE_S3_ENDPOINT: server.managementUrl },
      /^pierone: .* does not speak S3: correct STORAGE_S3_ENDPOINT$/m,
    );
  });

  test('an encryption or a storage class that this S3 does not have', () =>
    expectRefusal(
      { STORAGE_S3_STORAGE_CLASS: 'GLACIER_IR' },
      /^pierone: .*S3 could not take an object: Invalid.* \(does it support STORAGE_S3_STORAGE_CLASS\?\)/m,
    ));

  test('a bucket without a database', () =>
    expectRefusal({ DATABASE_URL: '' }, /DATABASE_URL must be/));
});

test('a wrong clock is refused with a sentence', async () => {
  vi.useFakeTimers({ toFake: ['Date'], now: Date.now() - 3_600_000 });
  const store = await openStore(bucket.location);
  await expect(store.check()).rejects.toThrow(/the clock of this machine is wrong by more than 15/);
});

describe('permissions', () => {
  test.each([
    's3:ListBucket',
    's3:ListBucketMultipartUploads',
    's3:PutObject',
    's3:GetObject',
    's3:AbortMultipartUpload',
    's3:DeleteObject',
  ])('the lack of %s is named, and nothing else', async (action) => {
    await deny(action);
    await expectRefusal(
      {},
      new RegExp(`: the credentials lack ${action} \\(to [^)]*\\): add that`),
    );
    await allow();
    expect(await bucket.listUploads()).toEqual([]);
    // What nobody may delete can't be removed, but doesn't grow either.
    const left = action === 's3:DeleteObject' ? ['team/registry/check/undeletable'] : [];
    expect(await bucket.listObjects()).toEqual(left);
  });

  test('all that are missing are named at once, and the next start removes what could not be deleted', async () => {
    await deny('s3:DeleteObject', 's3:AbortMultipartUpload', 's3:ListBucketMultipartUploads');
    const names =
      /lack s3:ListBucketMultipartUploads .* and s3:DeleteObject .* and s3:AbortMultipart/;
    await expectRefusal({}, names);
    await expectRefusal({}, names);
    await allow();
    expect(await bucket.listObjects()).toHaveLength(1);
    await fixture.start(settings());
    expect(await bucket.listObjects()).toEqual(['team/registry/registry-id']);
  });
});

test('the bucket of another registry is refused, and stays untouched', async () => {
  const { api } = await fixture.start(settings());
  await pushBlob(api, 'start/other', randomSample(1000));
  const before = await bucket.listObjects();
  const other = { DATABASE_URL: await createDatabase(fixture.postgres.url) };
  await expectRefusal(
    other,
    /^pierone: The S3 bucket .* belongs to the registry [0-9a-f-]{36}, but .*STORAGE_S3_BUCKET .*and DATABASE_URL/m,
  );
  expect(await bucket.listObjects()).toEqual(before);
});

test('an empty bucket beside a database that names layers is refused', async () => {
  const { server, api } = await fixture.start(settings());
  await pushBlob(api, 'start/empty', randomSample(1000));
  await server.stop();
  await expectRefusal(
    { STORAGE_S3_PREFIX: 'elsewhere' },
    /^pierone: The S3 bucket .* carries no registry id \(is it the right one\?\)/m,
  );
  expect((await bucket.listObjects()).filter((key) => key.startsWith('elsewhere'))).toEqual([]);
});
