import type { BlobStore } from './blob-store.ts';
import { openFileStore } from './file/file-store.ts';
import type { S3Location } from './s3/s3-location.ts';

/** Where the bytes are: plain data, so that it can be handed to a worker thread. */
export type StoreLocation = FileLocation | S3Location;

export interface FileLocation {
  readonly kind: 'file';
  readonly directory: string;
}

const opened = new Map<string, Promise<BlobStore>>();

/** The driver for a location; each thread has one of its own, opened once. */
export function openStore(location: StoreLocation): Promise<BlobStore> {
  const name = JSON.stringify(location);
  const known = opened.get(name);
  if (known) return known;
  const store = open(location);
  opened.set(name, store);
  return store;
}

/** What a driver needs is loaded only where it is used: the AWS SDK is large. */
async function open(location: StoreLocation): Promise<BlobStore> {
  if (location.kind === 'file') return openFileStore(location.directory);
  const { openS3Store } = await import('./s3/s3-store.ts');
  return openS3Store(location);
}

/** Size of the parts in which the store takes an object's bytes; undefined: it takes them as they come. */
export function partBytesOf(location: StoreLocation): number | undefined {
  return location.kind === 's3' ? location.partBytes : undefined;
}

/** One line for people. */
export function describeStore(location: StoreLocation): string {
  if (location.kind === 'file') return `directory ${location.directory}`;
  const { bucket, prefix, endpoint = 'AWS', region } = location;
  return `S3 bucket ${bucket}${prefix ? `, below ${prefix},` : ''} at ${endpoint} (${region})`;
}

/** Why a store must not be used with the database of a registry: a sentence for the operator. */
export function storeMismatch(
  location: StoreLocation,
  carried: string,
  registryId: string,
): string {
  const [setting, question] =
    location.kind === 'file'
      ? ['STORAGE_DIRECTORY', 'is its volume mounted?']
      : ['STORAGE_S3_BUCKET (and STORAGE_S3_PREFIX)', 'is it the right one?'];
  return `The ${describeStore(location)} ${carried ? `belongs to the registry ${carried}` : `carries no registry id (${question})`}, but the database is that of registry ${registryId}: set ${setting} and DATABASE_URL to a pair that belongs together.`;
}
