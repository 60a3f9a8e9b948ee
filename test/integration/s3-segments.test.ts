import { afterAll, beforeAll, expect, test } from 'vitest';
import { openIngestPool } from '../../src/workers/ingest-pool.ts';
import { openS3Scene, type S3Scene } from '../support/s3-scene.ts';
import { expectStatus, randomSample, startUpload } from '../support/sample-content.ts';
import { sharedDatabase } from '../support/test-registry.ts';

const MIB = 1024 * 1024;
/** Of one part, so that nothing of a second one is granted before the first is with S3. */
const ONE_PART = { STORAGE_S3_PART_SIZE: '5', BUFFER_MEMORY_PER_UPLOAD_MIB: '5' };

let scene: S3Scene;

beforeAll(async () => {
  scene = await openS3Scene((await sharedDatabase()).url);
});
afterAll(() => scene?.close());

test('a body that is longer than a segment comes to its end, whatever the parts’ size', async () => {
  const { api } = await scene.start(ONE_PART, {
    openIngest: (options) => openIngestPool({ ...options, segmentBytes: 12 * MIB }),
  });
  const blob = randomSample(23 * MIB);
  const path = await startUpload(api, 'acme/long');
  const append = api.open('PUT', `${path}?digest=${blob.digest}`);
  append.end(blob.bytes);
  expect((await append.answer).status).toBe(201);
  const sizes = (await scene.segmentsOf(blob)).map(({ sizeBytes }) => sizeBytes / MIB);
  expect(sizes).toEqual([10, 10, 3]);
  const { body } = await expectStatus(api.send('GET', `/v2/acme/long/blobs/${blob.digest}`), 200);
  expect(body.equals(blob.bytes)).toBe(true);
});
