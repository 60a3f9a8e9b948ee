import type { Log } from '../log.ts';
import type { MetadataStore } from '../meta/metadata-store.ts';
import type { BlobStore } from '../storage/blob-store.ts';
import { BackgroundJob } from './background-job.ts';
import { DeadWrites } from './dead-writes.ts';
import { ENDED_KEPT_MS } from './upload-ids.ts';

/** Rows and keys that are handled at a time. */
const BATCH = 500;
/** The first sweep comes soon after the start, when a crash may have left something. */
const FIRST_SWEEP_MS = 60_000;

export interface SweeperOptions {
  readonly metadata: MetadataStore;
  readonly store: BlobStore;
  readonly log: Log;
  readonly registryId: string;
  readonly intervalMs: number;
  /** How long objects are kept that nothing names any more; longer than any cache of their places. */
  readonly graceMs: number;
  /** An object that was written to within this time may belong to an append that is running, on any instance. */
  readonly appendMs: number;
}

export interface Swept {
  readonly expiredUploads: number;
  readonly deletedObjects: number;
  /** What writers began and, since they died, never closed. */
  readonly abortedObjects: number;
}

/** Held by the instance that sweeps. */
const LOCK = 'sweep';

/** Removes uploads whose time is over, and objects that no row names: on one instance at a time. */
export class Sweeper {
  readonly #options: SweeperOptions;
  readonly #deadWrites: DeadWrites;
  readonly #job: BackgroundJob;
  /** Looked at between batches, so that an end waits for no long list. */
  #isStopping = false;

  constructor(options: SweeperOptions) {
    this.#options = options;
    this.#deadWrites = new DeadWrites(options.metadata, options.store);
    const { log, intervalMs } = options;
    const firstMs = Math.min(FIRST_SWEEP_MS, intervalMs);
    const failure = 'the sweep failed; it is tried again at its next time';
    this.#job = new BackgroundJob({ firstMs, intervalMs, log, failure }, () => this.#sweepAndLog());
  }

  start(): void {
    this.#job.start();
  }

  /** Ends the sweep under way early, and waits for it. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    await this.#job.stop();
  }

  /** One sweep. @returns undefined when another instance is at it. @throws when the store is another registry's */
  async sweep(): Promise<Swept | undefined> {
    const { metadata } = this.#options;
    const lock = await metadata.locks.tryAcquire(LOCK);
    if (!lock) return undefined;
    try {
      await this.#checkStore();
      const expiredUploads = await this.#expireUploads();
      await this.#listUnknown();
      const deletedObjects = await this.#deleteDue();
      const abortedObjects = await this.#abortDeadWrites();
      return { expiredUploads, deletedObjects, abortedObjects };
    } finally {
      await lock.release();
    }
  }

  async #sweepAndLog(): Promise<void> {
    const swept = await this.sweep();
    if (swept && Object.values(swept).some((count) => count > 0)) {
      this.#options.log.info(swept, 'swept');
    }
  }

  async #checkStore(): Promise<void> {
    const { store, registryId } = this.#options;
    const carried = await store.registryId();
    if (carried === registryId) return;
    throw new Error(
      `the store belongs to registry ${carried || 'unknown'}, the database to ${registryId}: nothing is swept`,
    );
  }

  async #expireUploads(): Promise<number> {
    let expired = 0;
    for (let batch = BATCH; batch === BATCH; expired += batch) {
      batch = await this.#options.metadata.uploads.expire(BATCH, ENDED_KEPT_MS);
    }
    return expired;
  }

  #abortDeadWrites(): Promise<number> {
    const { graceMs, appendMs } = this.#options;
    const minAgeMs = Math.max(graceMs, appendMs);
    return this.#deadWrites.remove(minAgeMs, LOCK, () => this.#isStopping);
  }

  /**
   * Puts objects on the deletion list that a crash left before a row named them. An append whose row comes late takes
   * its object off the list again; if a sweep is deleting it already, the append fails, and its client repeats it.
   *
   * Where the store tells when an object was written, those that are old enough for the grace and for any append are
   * deleted by this sweep. Where it doesn't, an object that was completed a second ago may look days old: the
   * time on the list is what counts then, and it is long enough for the row of an append that is being committed.
   */
  async #listUnknown(): Promise<void> {
    const { store, graceMs, appendMs } = this.#options;
    const keptMs = Math.max(graceMs, appendMs);
    const [minAgeMs, fromNowMs] = store.tellsWhenWritten
      ? [keptMs, -graceMs]
      : [appendMs, keptMs - graceMs];
    const add = (keys: readonly string[]) =>
      this.#options.metadata.deletions.addUnknown(keys, fromNowMs);
    let batch: string[] = [];
    for await (const { key, modifiedMs } of store.list()) {
      if (this.#isStopping) return;
      if (modifiedMs > Date.now() - minAgeMs) continue;
      batch.push(key);
      if (batch.length < BATCH) continue;
      await add(batch);
      batch = [];
    }
    if (batch.length > 0) await add(batch);
  }

  async #deleteDue(): Promise<number> {
    const { metadata, store, graceMs } = this.#options;
    let deleted = 0;
    for (;;) {
      if (this.#isStopping) return deleted;
      const keys = await metadata.deletions.claimDue(graceMs, BATCH);
      if (keys.length === 0) return deleted;
      await store.delete(keys);
      await metadata.deletions.done(keys);
      deleted += keys.length;
    }
  }
}
