import type { S3Location } from '../../src/storage/s3/s3-location.ts';
import { openS3Store } from '../../src/storage/s3/s3-store.ts';
import { startS3Proxy } from '../support/s3-proxy.ts';
import { createBucket, sharedRgw } from '../support/shared-rgw.ts';
import { waitUntil } from '../support/wait-until.ts';
import { describeBlobStore } from './blob-store.ts';

const MIB = 1024 * 1024;

/** Through a proxy, which knows what is under way. */
async function open(settings: Partial<S3Location>) {
  const rgw = await sharedRgw();
  const [bucket, proxy] = await Promise.all([createBucket(rgw), startS3Proxy(rgw.endpoint)]);
  const location = { ...bucket.location, ...settings, endpoint: proxy.endpoint };
  return {
    store: openS3Store(location),
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

describeBlobStore('S3', () => open({}));
describeBlobStore('S3, other settings', () =>
  open({ prefix: 'a/b/', partBytes: 5 * MIB, checksum: 'crc32', signPayload: true }),
);
