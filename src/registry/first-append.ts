import { LRUCache } from 'lru-cache';
import type { MetadataStore } from '../meta/metadata-store.ts';
import type { Metrics } from '../metrics.ts';
import { type ByteSource, type RequestSource, sourceOf } from '../oci/byte-source.ts';
import type { DigestAlgorithm } from '../oci/digest.ts';
import type { RepositoryName } from '../oci/repository-name.ts';
import type { BlobStore } from '../storage/blob-store.ts';
import type { ClosedSegment, Ingest } from '../workers/ingest.ts';
import { type AppendLocks, appendName } from './append-locks.ts';
import { changedMeanwhile, clientGone } from './append-rules.ts';

/** Larger bodies don't gain by it. */
const SMALL_BYTES = 64 * 1024;
const MAX_BEGUN = 10_000;

export interface FirstAppendParts {
  readonly metadata: Pick<MetadataStore, 'uploads'>;
  readonly store: BlobStore;
  readonly ingest: Ingest;
  readonly metrics: Metrics;
  readonly expirationMs: number;
}

interface BegunUpload {
  readonly id: string;
  readonly repository: RepositoryName;
  readonly algorithm: DigestAlgorithm;
}

/** What is left to be appended when `appendedBytes`, all or none, are. */
interface FirstAppend {
  readonly appendedBytes: number;
  readonly rest: ByteSource;
}

/**
 * First appends of uploads that this instance began, and has heard nothing of since: most small layers and configs are pushed so.
 * A small body that has come is stored at once, and one statement commits it if the upload still is as it was begun and nobody
 * holds its lock: one round trip to the database instead of four. Until then this instance alone knows of the append.
 */
export class FirstAppends {
  readonly #parts: FirstAppendParts;
  readonly #locks: AppendLocks;
  readonly #begun = new LRUCache<string, BegunUpload>({ max: MAX_BEGUN });

  constructor(parts: FirstAppendParts, locks: AppendLocks) {
    this.#parts = parts;
    this.#locks = locks;
  }

  began(upload: BegunUpload): void {
    this.#begun.set(upload.id, upload);
  }

  /** Whatever is done to it next is no first append. */
  forget(id: string): void {
    this.#begun.delete(id);
  }

  /**
   * `signal` tells that the client has gone: what has come is appended all the same, and others wait for it.
   * @throws OciError 409 when another instance seems to have appended the same bytes meanwhile
   */
  async append(
    repository: RepositoryName,
    id: string,
    source: RequestSource,
    signal: AbortSignal,
  ): Promise<FirstAppend> {
    const untouched = { appendedBytes: 0, rest: source };
    const upload = this.#begun.get(id);
    this.forget(id);
    // The client of one that hasn't begun may know already that it won't.
    if (upload?.repository !== repository || signal.aborted) return untouched;
    const end = this.#locks.beginHere(id, signal);
    if (!end) return untouched;
    try {
      const whole = await source.takeWhole(SMALL_BYTES);
      if (!whole) return untouched;
      if (await this.#store(upload, whole)) return { appendedBytes: whole.length, rest: source };
      if (signal.aborted) throw clientGone();
      return { appendedBytes: 0, rest: sourceOf(whole) };
    } finally {
      end();
    }
  }

  /** @returns false when the upload is not as it was begun: nothing is changed */
  async #store(upload: BegunUpload, bytes: Uint8Array): Promise<boolean> {
    const { metadata, store, ingest, metrics, expirationMs } = this.#parts;
    const { id, repository, algorithm } = upload;
    let refused: ClosedSegment | undefined;
    const commit = async (segment: ClosedSegment) => {
      const { key, sizeBytes, digest } = segment;
      const args = [upload, { key, sizeBytes }, digest, expirationMs, appendName(id)] as const;
      if (!(await metadata.uploads.appendFirst(...args))) refused = segment;
    };
    metrics.activeAppends.inc();
    try {
      const plan = { kind: 'whole', algorithm } as const;
      await ingest.append({ source: sourceOf(bytes), plan, expectedBytes: bytes.length, commit });
    } finally {
      metrics.activeAppends.dec();
    }
    if (!refused) {
      metrics.uploadedBytes.inc(bytes.length);
      return true;
    }
    // If it can't be deleted now, the sweeper finds it.
    await store.delete([refused.key]).catch(() => undefined);
    // The same bytes twice are one request that was repeated elsewhere: behind each other they would be a blob that nobody wants.
    const session = await metadata.uploads.find(repository, id);
    if (session?.offset !== bytes.length) return false;
    if (session.checkpoint.digest === refused.digest) throw changedMeanwhile();
    return false;
  }
}
