import { expect, test } from 'vitest';
import { newSegmentKey } from '../../src/storage/keys.ts';
import type { S3Location } from '../../src/storage/s3/s3-location.ts';
import { openS3Store } from '../../src/storage/s3/s3-store.ts';
import { startCopylessS3 } from '../support/copyless-s3.ts';
import { readObject, writeObject } from '../support/objects.ts';
import { randomSample } from '../support/sample-content.ts';
import { createBucket, sharedRgw } from '../support/shared-rgw.ts';
import { describeObjectJoiner } from './object-joiner.ts';

const MIB = 1024 * 1024;

async function open(settings: Partial<S3Location>) {
  const bucket = await createBucket(await sharedRgw());
  return {
    store: openS3Store({ ...bucket.location, ...settings }),
    listEverything: async () => [...(await bucket.listObjects()), ...(await bucket.listUploads())],
    dispose: () => bucket.dispose(),
  };
}

describeObjectJoiner('S3', () => open({}));
describeObjectJoiner('S3, below a prefix, with checksums', () =>
  open({ prefix: 'a/b c/', checksum: 'crc32', signPayload: true }),
);

test('an S3 that knows no copies is sent all bytes, and asked for copies only once', async () => {
  const { endpoint } = await sharedRgw();
  const proxy = await startCopylessS3(endpoint);
  const { store, listEverything, dispose } = await open({ endpoint: proxy.endpoint });
  try {
    const sources = [6, 1, 12].map((mib) => ({
      key: newSegmentKey(),
      ...randomSample(mib * MIB),
      sizeBytes: mib * MIB,
    }));
    for (const { key, bytes } of sources) await writeObject(store, key, bytes);
    const whole = Buffer.concat(sources.map(({ bytes }) => bytes));
    for (const key of [newSegmentKey(), newSegmentKey()]) {
      await store.joiner?.join(key, sources);
      expect((await readObject(store, key, 0, whole.length)).equals(whole)).toBe(true);
    }
    // As many as go out at the same time.
    expect(proxy.refusals()).toBeLessThanOrEqual(2);
    expect(await listEverything()).toHaveLength(sources.length + 2);
  } finally {
    await dispose();
    await proxy.close();
  }
});
