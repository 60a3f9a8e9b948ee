import { LRUCache } from 'lru-cache';
import type { Log } from '../log.ts';
import { type MetadataStore, MetadataUnavailable } from '../meta/metadata-store.ts';
import type { FragmentedBlob } from '../meta/records/blob-records.ts';
import type { Digest } from '../oci/digest.ts';
import type { BlobStore, ObjectJoiner } from '../storage/blob-store.ts';
import { newSegmentKey } from '../storage/keys.ts';
import { BackgroundJob } from './background-job.ts';

/** Blobs that are asked for at a time. */
const BATCH = 50;
/** Another instance gets its turn then, and a start after a long pause doesn't keep the database busy. */
const MAX_BLOBS_PER_RUN = 1000;
/** A blob that can't be joined is tried again after this time. */
const RETRY_MS = 3_600_000;
const MAX_REMEMBERED_FAILURES = 10_000;
/**
 * Replaced objects are kept for a day, however short the sweep's grace is: readers know their place for ten minutes,
 * and a slow one may be in the middle. One that is slower still finds the new place: see Blobs.
 */
const REPLACED_KEPT_MS = 24 * 3_600_000;

export interface CompactorOptions {
  readonly metadata: MetadataStore;
  readonly store: BlobStore;
  readonly joiner: ObjectJoiner;
  readonly log: Log;
  readonly intervalMs: number;
  /** The sweep's: objects on the deletion list are kept for it anyway. */
  readonly graceMs: number;
}

export interface Compacted {
  readonly joinedBlobs: number;
  readonly replacedObjects: number;
  readonly bytes: number;
  readonly failedBlobs: number;
}

/**
 * Makes one object of the several that a blob was pushed in: on one instance at a time. What a crash leaves is an
 * object that no row names, or an unfinished one; the sweeper finds both.
 */
export class Compactor {
  readonly #options: CompactorOptions;
  readonly #failed = new LRUCache<Digest, true>({ max: MAX_REMEMBERED_FAILURES, ttl: RETRY_MS });
  readonly #stopping = new AbortController();
  readonly #job: BackgroundJob;

  constructor(options: CompactorOptions) {
    this.#options = options;
    const { log, intervalMs } = options;
    const failure = 'the compaction failed; it is tried again at its next time';
    this.#job = new BackgroundJob({ firstMs: intervalMs, intervalMs, log, failure }, () =>
      this.#compactAndLog(),
    );
  }

  start(): void {
    this.#job.start();
  }

  /** Gives up the blob that is being joined, and waits until nothing is left of it. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#job.stop();
  }

  /** One run. @returns undefined when another instance is at it */
  async compact(): Promise<Compacted | undefined> {
    const { metadata } = this.#options;
    const lock = await metadata.locks.tryAcquire('compact');
    if (!lock) return undefined;
    const done = { joinedBlobs: 0, replacedObjects: 0, bytes: 0, failedBlobs: 0 };
    try {
      for await (const blob of this.#blobs()) {
        const outcome = await this.#tryJoin(blob);
        if (outcome === 'failed') done.failedBlobs += 1;
        if (outcome === 'joined') {
          done.joinedBlobs += 1;
          done.replacedObjects += blob.segments.length;
          done.bytes += sizeOf(blob);
        }
      }
      return done;
    } finally {
      await lock.release();
    }
  }

  async #compactAndLog(): Promise<void> {
    const done = await this.compact();
    if (done && done.joinedBlobs + done.failedBlobs > 0) this.#options.log.info(done, 'compacted');
  }

  /** Those of one run. */
  async *#blobs(): AsyncGenerator<FragmentedBlob, void, undefined> {
    const { metadata } = this.#options;
    let left = MAX_BLOBS_PER_RUN;
    let after: Digest | undefined;
    for (;;) {
      const batch = await metadata.blobs.fragmented(BATCH, after);
      for (const blob of batch) {
        if (left === 0 || this.#stopping.signal.aborted) return;
        if (this.#failed.has(blob.digest)) continue;
        yield blob;
        left -= 1;
      }
      if (batch.length < BATCH) return;
      after = batch.at(-1)?.digest;
    }
  }

  /** A blob that fails must not keep others from their turn; a database that is gone ends the run. */
  async #tryJoin(blob: FragmentedBlob): Promise<'joined' | 'skipped' | 'failed'> {
    const { log } = this.#options;
    try {
      return (await this.#join(blob)) ? 'joined' : 'skipped';
    } catch (error) {
      if (this.#stopping.signal.aborted) return 'skipped';
      if (error instanceof MetadataUnavailable) throw error;
      this.#failed.set(blob.digest, true);
      const { digest } = blob;
      log.warn({ err: error, digest }, 'the objects of a blob could not be joined');
      return 'failed';
    }
  }

  async #join(blob: FragmentedBlob): Promise<boolean> {
    const { metadata, store, joiner, graceMs } = this.#options;
    const key = newSegmentKey();
    await joiner.join(key, blob.segments, this.#stopping.signal);
    const joined = { key, sizeBytes: sizeOf(blob) };
    const keepMs = Math.max(0, REPLACED_KEPT_MS - graceMs);
    // When the outcome is unknown, the object stays: the row may name it. If none does, the sweeper finds it.
    const isReplaced = await metadata.blobs.join(blob, joined, keepMs);
    // Someone else was faster: another instance, after the lock was lost.
    if (!isReplaced) await store.delete([key]);
    return isReplaced;
  }
}

function sizeOf({ segments }: FragmentedBlob): number {
  return segments.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
}
