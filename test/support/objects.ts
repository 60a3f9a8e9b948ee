import type { BlobStore } from '../../src/storage/blob-store.ts';

/** A new, empty store of its own, and what the suite must know of it. */
export interface OpenedStore {
  readonly store: BlobStore;
  /** The same place once more, as another process would open it. */
  reopen(): BlobStore;
  /** Files or connections that the store keeps open now. */
  countOpenHandles(): Promise<number>;
  /** Names of all that takes room there, also of what is unfinished. */
  listEverything(): Promise<string[]>;
  dispose(): Promise<void>;
}

const WRITE_BYTES = 1024 * 1024;

/** Writes an object as the ingest workers do; what fails leaves nothing. */
export async function writeObject(store: BlobStore, key: string, bytes: Uint8Array) {
  const writer = await store.create(key);
  try {
    for (let from = 0; from < bytes.length; from += WRITE_BYTES) {
      await writer.write(bytes.subarray(from, from + WRITE_BYTES));
    }
    await writer.close();
  } finally {
    await writer.abort();
  }
}

/** Copies a range of an object; `pause` is waited for while each chunk is held. */
export async function readObject(
  store: BlobStore,
  key: string,
  start: number,
  end: number,
  pause?: () => Promise<unknown>,
): Promise<Buffer> {
  const copies: Buffer[] = [];
  for await (const chunk of store.read(key, start, end)) {
    await pause?.();
    copies.push(Buffer.from(chunk));
  }
  return Buffer.concat(copies);
}
