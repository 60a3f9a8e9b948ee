import type { S3Location } from '../../src/storage/s3/s3-location.ts';
import { openS3Store } from '../../src/storage/s3/s3-store.ts';
import { createBucket, sharedRgw } from '../support/shared-rgw.ts';
import { describeObjectJoiner } from './object-joiner.ts';

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
