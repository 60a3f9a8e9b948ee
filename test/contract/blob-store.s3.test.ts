import { ConnectionRate } from '../../src/storage/s3/connection-rate.ts';
import type { S3Location } from '../../src/storage/s3/s3-location.ts';
import { openS3Store } from '../../src/storage/s3/s3-store.ts';
import { startS3Proxy } from '../support/s3-proxy.ts';
import { createBucket, sharedRgw } from '../support/shared-rgw.ts';
import { waitUntil } from '../support/wait-until.ts';
import { describeBlobStore } from './blob-store.ts';
import { describeReading } from './blob-store-reading.ts';

const MIB = 1024 * 1024;

/** Through a proxy, which knows what is under way. */
async function open(settings: Partial<S3Location>, isDistant = false) {
  const rgw = await sharedRgw();
  const [bucket, proxy] = await Promise.all([createBucket(rgw), startS3Proxy(rgw.endpoint)]);
  const location = { ...bucket.location, ...settings, endpoint: proxy.endpoint };
  return {
    store: openS3Store(location, undefined, isDistant ? slowRate() : new ConnectionRate()),
    reopen: () => openS3Store(location),
    countOpenHandles: async () => {
      // The end of a connection has to get there.
      await waitUntil('the end of requests', () => proxy.inFlight() === 0).catch(() => {});
      return proxy.inFlight();
    },
    listEverything: async () => [...(await bucket.listObjects()), ...(await bucket.listUploads())],
    dispose: async () => {
      await proxy.close();
      await bucket.dispose();
    },
  };
}

/** As after waiting for next to nothing. */
function slowRate(): ConnectionRate {
  const rate = new ConnectionRate();
  for (let block = 0; block < 3; block += 1) rate.add(1, 500);
  return rate;
}

describeBlobStore('S3', () => open({}));
describeReading('S3, over several connections', () => open({}, true));
describeBlobStore('S3, other settings', () =>
  open({ prefix: 'a/b/', partBytes: 5 * MIB, checksum: 'crc32', signPayload: true }),
);
