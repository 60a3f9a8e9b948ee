import { z } from 'zod';
import { boolean, endpointUrl, integer, orUnset, setting } from './setting.ts';

/** What a presigned URL may last by signature version 4: 7 days. */
const MAX_URL_EXPIRATION_MS = 7 * 86_400_000;

/** Classes whose objects can be read at once. */
const STORAGE_CLASSES = [
  'STANDARD',
  'STANDARD_IA',
  'ONEZONE_IA',
  'INTELLIGENT_TIERING',
  'GLACIER_IR',
  'REDUCED_REDUNDANCY',
  'EXPRESS_ONEZONE',
] as const;

/** AWS has 3 to 63 characters without capitals and underscores; others are less strict. */
const bucket = z
  .string()
  .regex(
    /^[A-Za-z0-9][A-Za-z0-9._-]{1,61}[A-Za-z0-9]$/,
    'the name of a bucket, as in acme-registry',
  );
const region = z
  .string()
  .regex(/^[A-Za-z0-9_-]{1,64}$/, 'the name of a region, as in eu-central-1');

/** Names that no client or proxy takes for anything but themselves; none is . or .. */
const prefix = z
  .string()
  .max(256, 'at most 256 characters long')
  .regex(
    /^((?!\.{1,2}(\/|$))[A-Za-z0-9._-]+(\/|$))*$/,
    'names of letters, digits, dots, dashes and underscores with slashes between them, as in team/registry/',
  )
  .transform((text) => (text === '' || text.endsWith('/') ? text : `${text}/`));

type Encryption =
  | { readonly algorithm: 'AES256' }
  | { readonly algorithm: 'aws:kms'; readonly kmsKeyId: string | undefined };
const encryption = z
  .string()
  .regex(
    /^(AES256|aws:kms(:[\w:/.-]+)?)$/,
    'AES256, aws:kms, or aws:kms: and the id or the ARN of a key',
  )
  .transform((text): Encryption | undefined => {
    if (text === 'AES256') return { algorithm: 'AES256' };
    return { algorithm: 'aws:kms', kmsKeyId: text.slice('aws:kms:'.length) || undefined };
  });

/** The settings of S3; STORAGE_S3_BUCKET is the switch, the others are mistakes without it. */
export const S3_SETTINGS = {
  STORAGE_S3_BUCKET: setting(
    bucket.transform(orUnset),
    undefined,
    'S3 bucket of the layers, instead of STORAGE_DIRECTORY; needs DATABASE_URL. docs/s3.md says which permissions.',
  ),
  STORAGE_S3_ENDPOINT: setting(
    endpointUrl.transform(orUnset),
    undefined,
    'URL of an S3 that is not that of AWS, as in https://rgw.example.org.',
    'AWS_ENDPOINT_URL_S3, else AWS_ENDPOINT_URL, else AWS',
  ),
  STORAGE_S3_REGION: setting(
    region,
    'us-east-1',
    'Region of the bucket.',
    'AWS_REGION, else AWS_DEFAULT_REGION, else us-east-1',
  ),
  STORAGE_S3_FORCE_PATH_STYLE: setting(
    boolean.transform(orUnset),
    undefined,
    "The bucket's name stands in the path of requests, not in the name of the host.",
    'true with an endpoint, else false',
  ),
  STORAGE_S3_PREFIX: setting(
    prefix,
    '',
    'Put before every key, with a slash at its end, so that a bucket can be shared.',
  ),
  STORAGE_S3_PART_SIZE: setting(
    integer(5, 1024),
    '8',
    'Size in MiB of the parts in which layers go to S3. Larger parts are fewer requests, and need more memory.',
  ),
  STORAGE_S3_CHECKSUM: setting(
    z.enum(['none', 'crc32'], 'none or crc32').transform(orUnset),
    undefined,
    'What S3 compares the bytes of each part with. Older servers refuse it.',
    'crc32 on AWS, none with an endpoint',
  ),
  STORAGE_S3_SIGN_PAYLOAD: setting(
    boolean.transform(orUnset),
    undefined,
    'Signatures cover the bytes of layers too; else TLS alone protects them on their way. Costs CPU.',
    'true with an endpoint of http://, else false',
  ),
  STORAGE_S3_SSE: setting(
    encryption,
    undefined,
    'Encryption by S3: AES256, aws:kms, or aws:kms: and the id or ARN of a key. Unset: as the bucket says.',
  ),
  STORAGE_S3_STORAGE_CLASS: setting(
    z.enum(STORAGE_CLASSES, `one of ${STORAGE_CLASSES.join(', ')}`).transform(orUnset),
    undefined,
    'Storage class of the layers. Unset: as S3 decides.',
  ),
  STORAGE_S3_EXTERNAL_STORE: setting(
    boolean,
    'false',
    'Sends who reads a layer to S3, by a redirect to a presigned URL.',
  ),
  STORAGE_S3_URL_EXPIRATION: setting(
    integer(1000, MAX_URL_EXPIRATION_MS),
    '300000',
    'Milliseconds for which such a URL is valid, up to 7 days.',
  ),
  STORAGE_S3_EXTERNAL_ENDPOINT: setting(
    endpointUrl.transform(orUnset),
    undefined,
    'URL of S3 in presigned URLs, where clients reach it by another one than the registry.',
  ),
} as const;

/** Who writes credentials into a URL must not find them in a message. */
export const S3_SECRET_SETTINGS = ['STORAGE_S3_ENDPOINT', 'STORAGE_S3_EXTERNAL_ENDPOINT'];
