import { LRUCache } from 'lru-cache';
import type { MetadataStore } from '../meta/metadata-store.ts';
import type { Metrics } from '../metrics.ts';
import { type ByteSource, type RequestSource, sourceOf } from '../oci/byte-source.ts';
import type { DigestAlgorithm } from '../oci/digest.ts';
import type { RepositoryName } from '../oci/repository-name.ts';
import type { BlobStore } from '../storage/blob-store.ts';
import type { ClosedSegment, Ingest } from '../workers/ingest.ts';
import { type AppendLocks, appendName } from './append-locks.ts';
import { clientGone } from './append-rules.ts';

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
  /** When the body was refused as a first one: the moment at which it came, of performance.now(). */
  readonly refusedMs: number | undefined;
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
   * `signal` tells that the client has gone: what isn't committed then is no part of the upload, since another instance may
   * have told the client so.
   */
  async append(
    repository: RepositoryName,
    id: string,
    source: RequestSource,
    signal: AbortSignal,
  ): Promise<FirstAppend> {
    const beganMs = performance.now();
    const untouched = { appendedBytes: 0, rest: source, refusedMs: undefined };
    const upload = this.#begun.get(id);
    this.forget(id);
    // The client of one that hasn't begun may know already that it won't.
    if (upload?.repository !== repository || signal.aborted) return untouched;
    const end = this.#locks.beginHere(id, signal);
    if (!end) return untouched;
    try {
      const whole = await source.takeWhole(SMALL_BYTES);
      if (!whole) return untouched;
      const isFirst = await this.#store(upload, whole, signal);
      if (isFirst) return { ...untouched, appendedBytes: whole.length };
      if (signal.aborted) throw clientGone();
      return { appendedBytes: 0, rest: sourceOf(whole), refusedMs: beganMs };
    } finally {
      end();
    }
  }

  /** @returns false when the upload is not as it was begun, or the client has gone: nothing is changed */
  async #store(upload: BegunUpload, bytes: Uint8Array, signal: AbortSignal): Promise<boolean> {
    const { metadata, store, ingest, metrics, expirationMs } = this.#parts;
    const { id, algorithm } = upload;
    let refused: string | undefined;
    const commit = async ({ key, sizeBytes, digest }: ClosedSegment) => {
      const args = [upload, { key, sizeBytes }, digest, expirationMs, appendName(id)] as const;
      if (signal.aborted || !(await metadata.uploads.appendFirst(...args))) refused = key;
    };
    metrics.activeAppends.inc();
    try {
      const plan = { kind: 'whole', algorithm } as const;
      const source = sourceOf(bytes);
      const expectedBytes = bytes.length;
      const end = await ingest.append({ source, plan, expectedBytes, commit, signal });
      // It didn't begin.
      if (end === 'cut') return false;
    } finally {
      metrics.activeAppends.dec();
    }
    // If it can't be deleted now, the sweeper finds it.
    if (refused !== undefined) await store.delete([refused]).catch(() => undefined);
    else metrics.uploadedBytes.inc(bytes.length);
    return refused === undefined;
  }
}
