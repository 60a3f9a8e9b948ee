import { readFile } from 'node:fs/promises';
import { PutBucketPolicyCommand } from '@aws-sdk/client-s3';
import { afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { JsonValue } from '../support/json.ts';
import type { RgwAddress } from '../support/rgw.ts';
import { expectStatus, pushBlob, randomSample, startUpload } from '../support/sample-content.ts';
import { useServers } from '../support/server-fixture.ts';
import { createBucket, credentialsFor, sharedRgw, type TestBucket } from '../support/shared-rgw.ts';
import { waitUntil } from '../support/wait-until.ts';

const MIB = 1024 * 1024;
/** What the test itself does with the bucket. */
const FOR_THE_TEST = ['s3:PutBucketPolicy', 's3:DeleteBucketPolicy', 's3:DeleteBucket'];

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
  expect(actions).toContain('s3:PutObject');
  const Resource = [`arn:aws:s3:::${bucket.name}`, `arn:aws:s3:::${bucket.name}/*`];
  const statement = { Effect: 'Deny', Principal: '*', NotAction: [...actions, ...FOR_THE_TEST] };
  const Policy = JSON.stringify({
    Version: '2012-10-17',
    Statement: [{ ...statement, Resource }],
  });
  await bucket.client.send(new PutBucketPolicyCommand({ Bucket: bucket.name, Policy }));
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
