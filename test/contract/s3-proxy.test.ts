import { GetObjectCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type S3Proxy, type S3ProxyOptions, startS3Proxy } from '../support/s3-proxy.ts';
import { createBucket, sharedRgw, type TestBucket } from '../support/shared-rgw.ts';

const SIZE = 300_000;

/** The proxy that other tests rely on: what it notes, and that its trouble is the one that was ordered. */
describe('S3 proxy', () => {
  const body = Buffer.alloc(SIZE, 'x');
  let bucket: TestBucket;
  let proxy: S3Proxy;
  let client: S3Client;

  const start = async (options?: S3ProxyOptions) => {
    const rgw = await sharedRgw();
    bucket = await createBucket(rgw);
    proxy = await startS3Proxy(rgw.endpoint, options);
    const { region, forcePathStyle } = bucket.location;
    client = new S3Client({ endpoint: proxy.endpoint, region, forcePathStyle, maxAttempts: 1 });
  };

  const put = (key = 'key') =>
    client.send(new PutObjectCommand({ Bucket: bucket.name, Key: key, Body: body }));
  const get = async () => {
    const { Body } = await client.send(new GetObjectCommand({ Bucket: bucket.name, Key: 'key' }));
    return (await Body?.transformToByteArray())?.length;
  };

  beforeEach(() => start());

  afterEach(async () => {
    client.destroy();
    await proxy.close();
    await bucket.dispose();
  });

  test('notes what is asked, and how much goes up and down', async () => {
    await put();
    expect(await get()).toBe(SIZE);
    expect(proxy.requests).toMatchObject([
      { operation: 'PutObject', path: `/${bucket.name}/key`, upBytes: SIZE, status: 200 },
      { operation: 'GetObject', method: 'GET', downBytes: SIZE, status: 200 },
    ]);
    expect(proxy.inFlight()).toBe(0);
    proxy.clear();
    expect(proxy.requests).toEqual([]);
  });

  test('throttles each nth of those that fit, and S3 does not see them', async () => {
    const slowDowns = proxy.plan({ kind: 'slow-down' }, { operation: 'PutObject', every: 2 });
    const puts = await Promise.allSettled(['a', 'b', 'c', 'd'].map(put));
    expect(puts.filter(({ status }) => status === 'fulfilled')).toHaveLength(2);
    await expect(put('e').then(() => put('f'))).rejects.toThrow('Please reduce your request rate.');
    expect(slowDowns.count()).toBe(3);
    slowDowns.end();
    await put('g');
    await put('h');
    expect(await bucket.listObjects()).toHaveLength(5);
  });

  test('a request that is reset never arrives, one whose answer is lost does', async () => {
    proxy.plan({ kind: 'reset-before' }, { times: 1 });
    await expect(put('a')).rejects.toThrow();
    proxy.plan({ kind: 'reset-upload', afterBytes: 100_000 }, { times: 1 });
    await expect(put('b')).rejects.toThrow();
    proxy.plan({ kind: 'lose-answer' }, { times: 1 });
    await expect(put('c')).rejects.toThrow();
    expect(await bucket.listObjects()).toEqual(['c']);
  });

  test('an answer that is reset ends early', async () => {
    await put();
    proxy.plan({ kind: 'reset-download', afterBytes: 100_000 }, { times: 1 });
    await expect(get()).rejects.toThrow();
    expect(await get()).toBe(SIZE);
  });

  test('a delayed answer comes', async () => {
    const delays = proxy.plan({ kind: 'delay-answer', ms: 50 });
    await put();
    expect(await get()).toBe(SIZE);
    expect(delays.count()).toBe(2);
  });

  test('vanishes, and comes back at the same place', async () => {
    await put();
    await proxy.vanish();
    // The connection that was kept breaks, and no other can be had.
    await expect(get()).rejects.toThrow();
    await expect(get()).rejects.toThrow('ECONNREFUSED');
    await proxy.comeBack();
    expect(await get()).toBe(SIZE);
  });

  test('with latency and limited bandwidth bodies stay whole', async () => {
    client.destroy();
    await proxy.close();
    await bucket.dispose();
    await start({ latencyMs: 5, bytesPerSecond: 3_000_000 });
    await put();
    expect(await get()).toBe(SIZE);
  });
});
