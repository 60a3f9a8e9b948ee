import type { S3Location } from './s3-location.ts';

/** What PutObject and CreateMultipartUpload are told of each object. */
export function objectSettings({ encryption, storageClass }: S3Location) {
  return {
    ContentType: 'application/octet-stream',
    ...(encryption ? { ServerSideEncryption: encryption.algorithm } : {}),
    ...(encryption?.algorithm === 'aws:kms' && encryption.kmsKeyId !== undefined
      ? { SSEKMSKeyId: encryption.kmsKeyId }
      : {}),
    ...(storageClass === undefined ? {} : { StorageClass: storageClass }),
  };
}
