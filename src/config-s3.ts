import * as zlib from 'node:zlib';
import type { Setting } from './setting.ts';
import type { Values } from './settings.ts';
import { S3_SETTINGS } from './settings-s3.ts';

const MIB = 1024 * 1024;

/** The bucket of the layers, and how it is spoken to. */
export interface S3Config {
  readonly kind: 's3';
  readonly bucket: string;
  readonly prefix: string;
  /** Undefined: AWS. */
  readonly endpoint: string | undefined;
  readonly region: string;
  readonly forcePathStyle: boolean;
  readonly partBytes: number;
  readonly checksum: 'none' | 'crc32';
  readonly signPayload: boolean;
  readonly encryption: Values['STORAGE_S3_SSE'];
  readonly storageClass: Values['STORAGE_S3_STORAGE_CLASS'];
  /** Undefined: clients read through the registry. */
  readonly links:
    | { readonly endpoint: string | undefined; readonly expirationMs: number }
    | undefined;
}

type Environment = Readonly<Record<string, string | undefined>>;

/** What this Node.js can do. */
export interface Runtime {
  readonly version: string;
  /** zlib.crc32 came with Node.js 20.15 and 22.2. */
  readonly hasCrc32: boolean;
}

export const THIS_RUNTIME: Runtime = {
  version: process.version,
  hasCrc32: typeof zlib.crc32 === 'function',
};

/** With a bucket, variables of AWS stand in for settings that aren't set. */
export function withAwsDefaults(environment: Environment): Environment {
  if (environment['STORAGE_S3_BUCKET'] === undefined) return environment;
  return {
    ...environment,
    STORAGE_S3_REGION:
      environment['STORAGE_S3_REGION'] ??
      (environment['AWS_REGION'] || environment['AWS_DEFAULT_REGION'] || undefined),
    STORAGE_S3_ENDPOINT:
      environment['STORAGE_S3_ENDPOINT'] ??
      (environment['AWS_ENDPOINT_URL_S3'] || environment['AWS_ENDPOINT_URL'] || undefined),
  };
}

/** Settings of S3 that are right each by itself, and wrong together. */
export function s3Contradictions(
  values: Partial<Values>,
  environment: Environment,
  { version, hasCrc32 }: Runtime,
): string[] {
  if (environment['STORAGE_S3_BUCKET'] === undefined) return withoutBucket(environment);
  const problems: string[] = [];
  if (['DATABASE_URL', 'DB_SUBNAME'].every((name) => environment[name] === undefined)) {
    problems.push(
      'STORAGE_S3_BUCKET is set without a database: set DATABASE_URL (or DB_SUBNAME). The embedded one would be lost with this machine, and nobody could tell any more what the objects in the bucket are',
    );
  }
  if (values.STORAGE_S3_EXTERNAL_STORE === false && values.STORAGE_S3_EXTERNAL_ENDPOINT) {
    problems.push(
      'STORAGE_S3_EXTERNAL_ENDPOINT is set, but no client is sent there: set STORAGE_S3_EXTERNAL_STORE=true too, or unset it',
    );
  }
  if ((values.STORAGE_S3_PART_SIZE ?? 0) > (values.BUFFER_MEMORY_MIB ?? Infinity)) {
    problems.push('STORAGE_S3_PART_SIZE must be at most BUFFER_MEMORY_MIB: parts wait in memory');
  }
  if (checksumOf(values) === 'crc32' && !hasCrc32) {
    const isDefault = values.STORAGE_S3_CHECKSUM === undefined;
    problems.push(
      `STORAGE_S3_CHECKSUM is crc32${isDefault ? ' (the default on AWS)' : ''}, which needs Node.js 20.15, or 22.2, or newer, and this is ${version}: take a newer one, or set STORAGE_S3_CHECKSUM=none`,
    );
  }
  return problems;
}

/** What is set as it would be anyway does no harm. */
function withoutBucket(environment: Environment): string[] {
  return Object.entries<Setting<unknown>>(S3_SETTINGS)
    .filter(([name, { fallback }]) => ![undefined, fallback].includes(environment[name]))
    .map(([name]) => `${name} is set without STORAGE_S3_BUCKET: set the bucket, or unset it`);
}

function checksumOf(values: Partial<Values>): 'none' | 'crc32' {
  return values.STORAGE_S3_CHECKSUM ?? (values.STORAGE_S3_ENDPOINT ? 'none' : 'crc32');
}

export function toS3Config(values: Values, bucket: string): S3Config {
  const endpoint = values.STORAGE_S3_ENDPOINT;
  return {
    kind: 's3',
    bucket,
    prefix: values.STORAGE_S3_PREFIX,
    endpoint,
    region: values.STORAGE_S3_REGION,
    forcePathStyle: values.STORAGE_S3_FORCE_PATH_STYLE ?? endpoint !== undefined,
    partBytes: values.STORAGE_S3_PART_SIZE * MIB,
    checksum: checksumOf(values),
    signPayload: values.STORAGE_S3_SIGN_PAYLOAD ?? isPlain(endpoint),
    encryption: values.STORAGE_S3_SSE,
    storageClass: values.STORAGE_S3_STORAGE_CLASS,
    links: values.STORAGE_S3_EXTERNAL_STORE
      ? {
          endpoint: values.STORAGE_S3_EXTERNAL_ENDPOINT,
          expirationMs: values.STORAGE_S3_URL_EXPIRATION,
        }
      : undefined,
  };
}

/** Not protected by TLS on its way. */
function isPlain(endpoint: string | undefined): boolean {
  return endpoint !== undefined && new URL(endpoint).protocol === 'http:';
}
