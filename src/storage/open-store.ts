import type { BlobStore } from './blob-store.ts';
import { openFileStore } from './file/file-store.ts';

/** Where the bytes are: plain data, so that it can be handed to a worker thread. */
export interface StoreLocation {
  readonly kind: 'file';
  readonly directory: string;
}

/** The driver for a location; the main thread and each ingest worker open their own. */
export function openStore(location: StoreLocation): BlobStore {
  return openFileStore(location.directory);
}

/** One line for people. */
export function describeStore(location: StoreLocation): string {
  return `directory ${location.directory}`;
}
