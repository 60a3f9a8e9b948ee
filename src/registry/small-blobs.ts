import { LRUCache } from 'lru-cache';
import { type Digest, digestAlgorithm, digestBytes } from '../oci/digest.ts';

/** Configs of images and what else is small: opening an object would cost more than all the rest of the answer. */
const MAX_BLOB_BYTES = 32 * 1024;
const CACHE_BYTES = 16 * 1024 * 1024;
/** What an entry costs besides its bytes. */
const ENTRY_BYTES = 256;

/** The bytes of small blobs that were read. Their digest is checked, and they can't change. */
export class SmallBlobs {
  readonly #blobs = new LRUCache<Digest, Uint8Array>({
    maxSize: CACHE_BYTES,
    sizeCalculation: (bytes) => bytes.length + ENTRY_BYTES,
  });

  isSmall(sizeBytes: number): boolean {
    return sizeBytes <= MAX_BLOB_BYTES;
  }

  /**
   * @param chunks all bytes of the blob, each chunk valid until the next is asked for; read when they aren't kept yet
   * @returns the bytes, for reading only
   */
  async read(digest: Digest, chunks: () => AsyncIterable<Uint8Array>): Promise<Uint8Array> {
    const known = this.#blobs.get(digest);
    if (known) return known;
    const copies: Buffer[] = [];
    for await (const chunk of chunks()) copies.push(Buffer.from(chunk));
    const bytes = Buffer.concat(copies);
    // What a damaged store gave is sent like all of it, and the client finds out; it must not stay when it is mended.
    if (digestBytes(digestAlgorithm(digest), bytes) === digest) this.#blobs.set(digest, bytes);
    return bytes;
  }
}
