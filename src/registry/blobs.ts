import { LRUCache } from 'lru-cache';
import type { MetadataStore } from '../meta/metadata-store.ts';
import type { BlobRecord } from '../meta/records/blob-records.ts';
import type { ByteRange } from '../oci/byte-range.ts';
import type { Digest } from '../oci/digest.ts';
import { OciError } from '../oci/error.ts';
import type { RepositoryName } from '../oci/repository-name.ts';
import { type BlobStore, ObjectNotFound } from '../storage/blob-store.ts';
import { isSmall, readSmall, type SmallBlob } from './small-blob.ts';

/** A blob's place is a hint, kept for less than the time for which replaced objects are. */
const PLACE_TTL_MS = 10 * 60_000;
/** Counted by segments. */
const MAX_PLACES = 50_000;

/** A blob, and its bytes. */
export interface BlobContent {
  readonly sizeBytes: number;
  /** The bytes of a range, in order; see BlobStore.read for how long a chunk is valid. */
  read(range: ByteRange): AsyncIterable<Uint8Array>;
  /** All bytes of a small blob; undefined: it isn't small. */
  readonly whole: (() => Promise<SmallBlob>) | undefined;
  /**
   * A URL where the store itself sends them; undefined where it can't, or in several objects. It is a secret.
   * @throws StoreUnavailable
   */
  link(): Promise<string | undefined>;
}

/** Blobs as they are read through the repositories that link them. */
export class Blobs {
  readonly #metadata: MetadataStore;
  readonly #store: BlobStore;
  readonly #places = new LRUCache<string, BlobRecord>({
    maxSize: MAX_PLACES,
    sizeCalculation: (record) => 1 + record.segments.length,
    ttl: PLACE_TTL_MS,
  });

  constructor(metadata: MetadataStore, store: BlobStore) {
    this.#metadata = metadata;
    this.#store = store;
  }

  /** @throws OciError BLOB_UNKNOWN when the repository doesn't link it. */
  async find(repository: RepositoryName, digest: Digest): Promise<BlobContent> {
    const record = await this.#place(repository, digest);
    const { sizeBytes } = record;
    const read = (range: ByteRange) => this.#read(repository, digest, record, range);
    const readAll = () => read({ first: 0, last: sizeBytes - 1 });
    return {
      sizeBytes,
      read,
      whole: isSmall(sizeBytes) ? () => readSmall(digest, readAll()) : undefined,
      link: () => this.#link(record),
    };
  }

  /** Links a blob of `from` to `to`. @returns false when `from` doesn't have it. */
  mount(digest: Digest, from: RepositoryName, to: RepositoryName): Promise<boolean> {
    return this.#metadata.blobs.mount(digest, from, to);
  }

  async #place(repository: RepositoryName, digest: Digest): Promise<BlobRecord> {
    const key = `${repository} ${digest}`;
    const known = this.#places.get(key);
    if (known) return known;
    const record = await this.#metadata.blobs.find(repository, digest);
    if (!record) throw new OciError('BLOB_UNKNOWN', { detail: { Digest: digest } });
    this.#places.set(key, record);
    return record;
  }

  async #link({ segments }: BlobRecord): Promise<string | undefined> {
    const [segment, ...others] = segments;
    if (!segment || others.length > 0) return undefined;
    return this.#store.links?.linkTo(segment.key);
  }

  /**
   * When an object is gone, a compaction has replaced it: the new place has the same bytes, and the reader goes on
   * where it stood. A place that was looked up and gave no byte is no reason to look once more.
   */
  async *#read(
    repository: RepositoryName,
    digest: Digest,
    record: BlobRecord,
    range: ByteRange,
  ): AsyncGenerator<Uint8Array, void, undefined> {
    let place = record;
    let first = range.first;
    for (let wasLookedUpAt = -1; ; wasLookedUpAt = first) {
      try {
        for await (const chunk of readSegments(this.#store, place, { first, last: range.last })) {
          first += chunk.length;
          yield chunk;
        }
        return;
      } catch (error) {
        if (!(error instanceof ObjectNotFound) || wasLookedUpAt === first) throw error;
        this.#places.delete(`${repository} ${digest}`);
        place = await this.#place(repository, digest);
      }
    }
  }
}

/** The parts of a range that lie in each segment, one after the other. */
async function* readSegments(
  store: BlobStore,
  { segments }: BlobRecord,
  { first, last }: ByteRange,
): AsyncGenerator<Uint8Array, void, undefined> {
  let begin = 0;
  for (const { key, sizeBytes } of segments) {
    const start = Math.max(0, first - begin);
    const end = Math.min(sizeBytes, last + 1 - begin);
    if (start < end) yield* store.read(key, start, end);
    begin += sizeBytes;
  }
}
