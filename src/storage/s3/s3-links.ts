import { GetObjectCommand } from '@aws-sdk/client-s3';
import { getSignedUrl } from '@aws-sdk/s3-request-presigner';
import type { ObjectLinks } from '../blob-store.ts';
import { openBucket } from './s3-bucket.ts';
import { translate } from './s3-call.ts';
import type { S3Location } from './s3-location.ts';

/** Presigned URLs for the host by which clients reach the bucket. They are made without asking S3. */
export function openLinks(location: S3Location): ObjectLinks | undefined {
  const { links, endpoint } = location;
  if (!links) return undefined;
  const bucket = openBucket({ ...location, endpoint: links.endpoint ?? endpoint });
  const expiresIn = Math.ceil(links.expirationMs / 1000);
  return {
    linkTo: async (key) => {
      try {
        const command = new GetObjectCommand(bucket.object(key));
        return await getSignedUrl(bucket.client, command, { expiresIn });
      } catch (error) {
        throw translate('sign a URL', error);
      }
    },
  };
}
