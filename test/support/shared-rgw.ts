import { randomUUID } from 'node:crypto';
import {
  AbortMultipartUploadCommand,
  CreateBucketCommand,
  DeleteBucketCommand,
  DeleteObjectsCommand,
  ListMultipartUploadsCommand,
  ListObjectsV2Command,
  S3Client,
} from '@aws-sdk/client-s3';
import { inject } from 'vitest';
import type { S3Location } from '../../src/storage/s3/s3-location.ts';
import { askFor } from './lazy-service.ts';
import type { RgwAddress } from './rgw.ts';

const MIB = 1024 * 1024;

/** A bucket of a test's own, and what the test itself sees in it. */
export interface TestBucket {
  readonly name: string;
  /** Talks to S3 directly. */
  readonly client: S3Client;
  /** What a store is opened with. */
  readonly location: S3Location;
  /** Whole keys of all objects. */
  listObjects(): Promise<string[]>;
  /** Whole keys of all unfinished multipart uploads. */
  listUploads(): Promise<string[]>;
  /** All of them. */
  abortUploads(): Promise<void>;
  /** Removes it with all that is in it. */
  dispose(): Promise<void>;
}

/** The RGW of this run of the tests. The SDK of this process gets its keys, by the environment. */
export async function sharedRgw(): Promise<RgwAddress> {
  const hint = 'no RGW: is Ceph installed (scripts/install-test-dependencies)?';
  const answer = await askFor(inject('rgwStarter'), hint);
  const rgw = {
    endpoint: answer.at('endpoint').text,
    accessKey: answer.at('accessKey').text,
    secretKey: answer.at('secretKey').text,
  };
  Object.assign(process.env, credentialsFor(rgw));
  return rgw;
}

/** The environment of a process that is to use it. */
export function credentialsFor({ accessKey, secretKey }: RgwAddress): Record<string, string> {
  return { AWS_ACCESS_KEY_ID: accessKey, AWS_SECRET_ACCESS_KEY: secretKey };
}

/** A new, empty bucket. */
export async function createBucket(
  rgw: RgwAddress,
  Bucket = `test-${randomUUID()}`,
): Promise<TestBucket> {
  const { endpoint, accessKey: accessKeyId, secretKey: secretAccessKey } = rgw;
  const client = new S3Client({
    endpoint,
    region: 'us-east-1',
    forcePathStyle: true,
    credentials: { accessKeyId, secretAccessKey },
  });
  await client.send(new CreateBucketCommand({ Bucket }));
  return {
    name: Bucket,
    client,
    location: locationOf(Bucket, endpoint),
    listObjects: () => listObjects(client, Bucket),
    listUploads: async () => (await listUploads(client, Bucket)).map(({ Key }) => Key),
    abortUploads: () => abortUploads(client, Bucket),
    dispose: async () => {
      await abortUploads(client, Bucket);
      await emptyBucket(client, Bucket);
      await client.send(new DeleteBucketCommand({ Bucket }));
      client.destroy();
    },
  };
}

function locationOf(bucket: string, endpoint: string): S3Location {
  return {
    kind: 's3',
    bucket,
    prefix: '',
    endpoint,
    region: 'us-east-1',
    forcePathStyle: true,
    partBytes: 8 * MIB,
    checksum: 'none',
    signPayload: false,
    encryption: undefined,
    storageClass: undefined,
  };
}

async function listObjects(client: S3Client, Bucket: string): Promise<string[]> {
  const keys: string[] = [];
  let token: string | undefined;
  do {
    const next = token === undefined ? {} : { ContinuationToken: token };
    const page = await client.send(new ListObjectsV2Command({ Bucket, ...next }));
    for (const { Key } of page.Contents ?? []) if (Key !== undefined) keys.push(Key);
    token = page.NextContinuationToken;
  } while (token !== undefined);
  return keys;
}

async function listUploads(client: S3Client, Bucket: string) {
  const { Uploads = [] } = await client.send(new ListMultipartUploadsCommand({ Bucket }));
  return Uploads.map(({ Key = '', UploadId = '' }) => ({ Key, UploadId }));
}

async function abortUploads(client: S3Client, Bucket: string): Promise<void> {
  for (const { Key, UploadId } of await listUploads(client, Bucket)) {
    await client.send(new AbortMultipartUploadCommand({ Bucket, Key, UploadId }));
  }
}

async function emptyBucket(client: S3Client, Bucket: string): Promise<void> {
  const keys = await listObjects(client, Bucket);
  for (let from = 0; from < keys.length; from += 1000) {
    const Objects = keys.slice(from, from + 1000).map((Key) => ({ Key }));
    await client.send(new DeleteObjectsCommand({ Bucket, Delete: { Objects, Quiet: true } }));
  }
}
