import { inspect } from 'node:util';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type BlobStore, StoreUnavailable } from '../../src/storage/blob-store.ts';
import { newSegmentKey } from '../../src/storage/keys.ts';
import { openS3Store } from '../../src/storage/s3/s3-store.ts';
import { readObject, writeObject } from '../support/objects.ts';
import { type FaultChoice, type S3Fault, type S3Proxy, startS3Proxy } from '../support/s3-proxy.ts';
import { SeededRandom } from '../support/seeded-random.ts';
import { createBucket, sharedRgw, type TestBucket } from '../support/shared-rgw.ts';
import { waitUntil } from '../support/wait-until.ts';

const MIB = 1024 * 1024;
const PART_BYTES = 5 * MIB;
/** Two parts and a piece of a third. */
const LARGE_SIZE = 12 * MIB + 5;
const SMALL_SIZE = MIB + 3;
/** What a test waits for when S3 is gone. */
const SHORT_TIMEOUTS = { callMs: 1500, tryMs: 1000, silenceMs: 800, closeMs: 3000 };

describe('S3 driver', () => {
  const random = new SeededRandom(11);
  const large = random.bytes(LARGE_SIZE);
  const small = large.subarray(0, SMALL_SIZE);
  let bucket: TestBucket;
  let proxy: S3Proxy;
  let store: BlobStore;
  let impatientStore: BlobStore;

  beforeEach(async () => {
    const rgw = await sharedRgw();
    bucket = await createBucket(rgw);
    proxy = await startS3Proxy(rgw.endpoint);
    const location = { ...bucket.location, endpoint: proxy.endpoint, partBytes: PART_BYTES };
    store = openS3Store(location);
    impatientStore = openS3Store(location, SHORT_TIMEOUTS);
  });

  afterEach(async () => {
    await proxy.close();
    await bucket.dispose();
  });

  const count = (operation: string) =>
    proxy.requests.filter((request) => request.operation === operation).length;

  const expectWhole = async (key: string, bytes: Buffer) => {
    const read = await readObject(store, key, 0, bytes.length);
    expect(read.equals(bytes)).toBe(true);
    expect(await bucket.listUploads()).toEqual([]);
  };

  const failureOf = async (promise: Promise<unknown>) => {
    const error = await promise.then(
      () => undefined,
      (reason: unknown) => reason,
    );
    if (!(error instanceof Error)) throw new Error(`no error but ${String(error)}`);
    return error;
  };

  describe('repeats', () => {
    test('what S3 throttles, until it succeeds', async () => {
      const slowDowns = proxy.plan({ kind: 'slow-down' }, { every: 3 });
      const keys = Array.from({ length: 4 }, newSegmentKey);
      await Promise.all(keys.map((key) => writeObject(store, key, large)));
      for (const key of keys) await expectWhole(key, large);
      await store.delete(keys);
      expect(slowDowns.count()).toBeGreaterThan(8);
      expect(await bucket.listObjects()).toEqual([]);
    });

    const faults: readonly (readonly [string, S3Fault, FaultChoice])[] = [
      ['a PutObject that never arrived', { kind: 'reset-before' }, { operation: 'PutObject' }],
      [
        'a PutObject that broke in the middle',
        { kind: 'reset-upload', afterBytes: 600_000 },
        { operation: 'PutObject' },
      ],
      ['a PutObject without an answer', { kind: 'lose-answer' }, { operation: 'PutObject' }],
      [
        'an upload that did not begin',
        { kind: 'reset-before' },
        { operation: 'CreateMultipartUpload' },
      ],
      [
        'a part that broke in the middle',
        { kind: 'reset-upload', afterBytes: 2 * MIB },
        { operation: 'UploadPart' },
      ],
      ['a part without an answer', { kind: 'lose-answer' }, { operation: 'UploadPart' }],
      [
        'a completion that never arrived',
        { kind: 'reset-before' },
        { operation: 'CompleteMultipartUpload' },
      ],
      [
        'a completion without an answer',
        { kind: 'lose-answer' },
        { operation: 'CompleteMultipartUpload' },
      ],
    ];
    test.each(faults)('%s', async (_, fault, choice) => {
      const bytes = choice.operation === 'PutObject' ? small : large;
      const planned = proxy.plan(fault, { ...choice, times: 2 });
      const key = newSegmentKey();
      await writeObject(store, key, bytes);
      expect(planned.count()).toBeGreaterThan(0);
      await expectWhole(key, bytes);
    });

    test('a read that S3 does not answer', async () => {
      const key = newSegmentKey();
      await writeObject(store, key, small);
      const planned = proxy.plan({ kind: 'lose-answer' }, { operation: 'GetObject', times: 2 });
      await expectWhole(key, small);
      expect(planned.count()).toBe(2);
    });

    test('while S3 is gone for a moment', async () => {
      const key = newSegmentKey();
      await proxy.vanish();
      const written = writeObject(store, key, large);
      await new Promise((resolve) => setTimeout(resolve, 300));
      await proxy.comeBack();
      await written;
      await expectWhole(key, large);
    });
  });

  describe('reads', () => {
    test('a stream that breaks goes on where it stood', async () => {
      const key = newSegmentKey();
      await writeObject(store, key, large);
      const breaks = proxy.plan(
        { kind: 'reset-download', afterBytes: 1_500_000 },
        { operation: 'GetObject', times: 6 },
      );
      await expectWhole(key, large);
      expect(breaks.count()).toBe(6);
      expect(count('GetObject')).toBe(7);
    });

    test('a stream that breaks again and again without a byte is StoreUnavailable', async () => {
      const key = newSegmentKey();
      await writeObject(store, key, small);
      proxy.plan({ kind: 'reset-download', afterBytes: 0 }, { operation: 'GetObject' });
      const error = await failureOf(readObject(impatientStore, key, 0, SMALL_SIZE));
      expect(error).toBeInstanceOf(StoreUnavailable);
    });
  });

  describe('memory', () => {
    test('is spent when all parts that hold it have arrived, not before', async () => {
      // The first part, whose first try fails, arrives after the second.
      proxy.plan(
        { kind: 'slow-down' },
        {
          operation: 'UploadPart',
          fits: ({ query }) => query.get('partNumber') === '1',
          times: 4,
        },
      );
      const key = newSegmentKey();
      const writer = await store.create(key);
      const copy = Buffer.from(large);
      await writer.write(copy, () => copy.fill(0));
      await writer.close();
      await expectWhole(key, large);
    });
  });

  describe('failures', () => {
    test('S3 that stays away is StoreUnavailable', async () => {
      const key = newSegmentKey();
      await writeObject(store, key, small);
      await proxy.vanish();
      const failures = await Promise.all([
        failureOf(writeObject(impatientStore, newSegmentKey(), small)),
        failureOf(writeObject(impatientStore, newSegmentKey(), large)),
        failureOf(readObject(impatientStore, key, 0, SMALL_SIZE)),
        failureOf(readObject(impatientStore, key, 0, 0)),
      ]);
      for (const error of failures) expect(error).toBeInstanceOf(StoreUnavailable);
    });

    test('S3 that takes requests and is silent is StoreUnavailable', async () => {
      proxy.plan({ kind: 'delay-answer', ms: 60_000 });
      const failures = await Promise.all([
        failureOf(writeObject(impatientStore, newSegmentKey(), small)),
        failureOf(writeObject(impatientStore, newSegmentKey(), large)),
        failureOf(readObject(impatientStore, newSegmentKey(), 0, SMALL_SIZE)),
      ]);
      for (const error of failures) expect(error).toBeInstanceOf(StoreUnavailable);
    });

    test('a part that fails while nobody writes is told at once', async () => {
      proxy.plan({ kind: 'reset-before' }, { operation: 'UploadPart' });
      const told: Error[] = [];
      const writer = await impatientStore.create(newSegmentKey(), (error) => told.push(error));
      await writer.write(large);
      await waitUntil('the failure', () => told.length > 0);
      await expect(writer.write(small)).rejects.toBe(told[0]);
      await expect(writer.close()).rejects.toBe(told[0]);
      await writer.abort();
      expect(told).toEqual([expect.any(StoreUnavailable)]);
      expect(await bucket.listUploads()).toEqual([]);
    });

    test('an upload that somebody else has aborted is StoreUnavailable, not a missing object', async () => {
      const writer = await store.create(newSegmentKey());
      await new Promise<void>((spent, reject) => {
        writer.write(large.subarray(0, PART_BYTES), spent).catch(reject);
      });
      await bucket.abortUploads();
      await writer.write(small);
      expect(await failureOf(writer.close())).toBeInstanceOf(StoreUnavailable);
      await writer.abort();
    });

    test('errors tell neither URLs nor signatures nor keys of the account', async () => {
      const { accessKey } = await sharedRgw();
      const elsewhere = { ...bucket.location, bucket: 'somebody-elses', endpoint: proxy.endpoint };
      const refused = failureOf(writeObject(openS3Store(elsewhere), newSegmentKey(), small));
      const unreadable = failureOf(readObject(openS3Store(elsewhere), newSegmentKey(), 0, 1));
      const errors = [await refused, await unreadable];
      await proxy.vanish();
      errors.push(await failureOf(readObject(impatientStore, newSegmentKey(), 0, 1)));
      for (const error of errors) {
        expect(error.message).not.toContain('http:');
        for (const secret of ['Signature', 'X-Amz-', 'authorization', accessKey]) {
          expect(inspect(error, { depth: 8 })).not.toContain(secret);
        }
      }
    });
  });
});
