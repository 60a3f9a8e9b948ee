import { readFile } from 'node:fs/promises';
import { GetBucketAclCommand, PutBucketPolicyCommand } from '@aws-sdk/client-s3';
import { afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { JsonValue } from '../support/json.ts';
import type { RgwAddress } from '../support/rgw.ts';
import { expectStatus, pushBlob, randomSample, startUpload } from '../support/sample-content.ts';
import { useServers } from '../support/server-fixture.ts';
import { createBucket, credentialsFor, sharedRgw, type TestBucket } from '../support/shared-rgw.ts';
import { waitUntil } from '../support/wait-until.ts';

const MIB = 1024 * 1024;
/** What else requests of this kind may need; RGW takes no policy that denies all but a list. */
const ACTIONS = [
  's3:AbortMultipartUpload',
  's3:DeleteObject',
  's3:DeleteObjectTagging',
  's3:DeleteObjectVersion',
  's3:GetBucketAcl',
  's3:GetBucketLocation',
  's3:GetBucketTagging',
  's3:GetBucketVersioning',
  's3:GetLifecycleConfiguration',
  's3:GetObject',
  's3:GetObjectAcl',
  's3:GetObjectTagging',
  's3:GetObjectVersion',
  's3:ListBucket',
  's3:ListBucketMultipartUploads',
  's3:ListBucketVersions',
  's3:ListMultipartUploadParts',
  's3:PutObject',
  's3:PutObjectAcl',
  's3:PutObjectTagging',
];

const fixture = useServers();

let rgw: RgwAddress;
let bucket: TestBucket;

beforeAll(async () => {
  rgw = await sharedRgw();
});

beforeEach(async () => {
  bucket = await createBucket(rgw);
});

afterEach(() => bucket.dispose());

/** The actions of the policy in docs/s3.md. */
async function documentedActions(): Promise<string[]> {
  const page = await readFile(new URL('../../docs/s3.md', import.meta.url), 'utf8');
  const policy = JsonValue.parse(/^```json\n(.*?)^```$/ms.exec(page)?.[1] ?? '');
  return policy.at('Statement').items.flatMap((statement) => statement.at('Action').texts);
}

test('the actions of the policy in docs/s3.md are enough to start, push, pull, and sweep', async () => {
  const actions = await documentedActions();
  expect(ACTIONS).toEqual(expect.arrayContaining(actions));
  const denied = ACTIONS.filter((action) => !actions.includes(action));
  const Resource = [`arn:aws:s3:::${bucket.name}`, `arn:aws:s3:::${bucket.name}/*`];
  const Statement = [{ Effect: 'Deny', Principal: '*', Action: denied, Resource }];
  const Policy = JSON.stringify({ Version: '2012-10-17', Statement });
  const { client, name: Bucket } = bucket;
  await client.send(new PutBucketPolicyCommand({ Bucket, Policy }));
  await expect(client.send(new GetBucketAclCommand({ Bucket }))).rejects.toMatchObject({
    name: 'AccessDenied',
  });
  const { server, api } = await fixture.start({
    ...credentialsFor(rgw),
    STORAGE_S3_BUCKET: bucket.name,
    STORAGE_S3_ENDPOINT: rgw.endpoint,
    STORAGE_S3_PREFIX: 'registry',
    SWEEP_INTERVAL: '1',
    SWEEP_GRACE_HOURS: '0',
  });
  const blob = randomSample(20 * MIB);
  await pushBlob(api, 'start/least', blob);
  const answer = await expectStatus(api.send('GET', `/v2/start/least/blobs/${blob.digest}`), 200);
  expect(answer.body.equals(blob.bytes)).toBe(true);
  const path = await startUpload(api, 'start/least');
  await expectStatus(api.send('PATCH', path, { body: randomSample(1000).bytes }), 202);
  expect(await bucket.listObjects()).toHaveLength(3);
  await expectStatus(api.send('DELETE', path), 204);
  await waitUntil('the sweep to delete it', async () => (await bucket.listObjects()).length === 2);
  expect(server.log.filter(({ level }) => level === 'error')).toEqual([]);
});
