import type { Log } from '../log.ts';
import type { MetadataStore } from '../meta/metadata-store.ts';
import type { BlobStore } from '../storage/blob-store.ts';

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
}

/** Removes uploads whose time is over, and objects that no row names: on one instance at a time. */
export class Sweeper {
  readonly #options: SweeperOptions;
  #timer: NodeJS.Timeout | undefined;
  #running: Promise<void> = Promise.resolve();
  /** Looked at between batches, so that an end waits for no long list. */
  #isStopping = false;

  constructor(options: SweeperOptions) {
    this.#options = options;
  }

  start(): void {
    this.#schedule(Math.min(FIRST_SWEEP_MS, this.#options.intervalMs));
  }

  /** Ends the sweep under way early, and waits for it. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    await this.#running;
  }

  /** One sweep. @returns undefined when another instance is at it. @throws when the store is another registry's */
  async sweep(): Promise<Swept | undefined> {
    const { metadata } = this.#options;
    const lock = await metadata.locks.tryAcquire('sweep');
    if (!lock) return undefined;
    try {
      await this.#checkStore();
      const expiredUploads = await this.#expireUploads();
      const deletedObjects = (await this.#deleteDue()) + (await this.#deleteUnknown());
      return { expiredUploads, deletedObjects };
    } finally {
      await lock.release();
    }
  }

  #schedule(afterMs: number): void {
    this.#timer = setTimeout(() => {
      this.#running = this.#sweepAndLog();
    }, afterMs);
    this.#timer.unref();
  }

  async #sweepAndLog(): Promise<void> {
    const { log } = this.#options;
    try {
      const swept = await this.sweep();
      if (swept && swept.expiredUploads + swept.deletedObjects > 0) log.info(swept, 'swept');
    } catch (error) {
      log.error({ err: error }, 'the sweep failed; it is tried again at its next time');
    }
    if (this.#timer) this.#schedule(this.#options.intervalMs);
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
      batch = await this.#options.metadata.uploads.expire(BATCH);
    }
    return expired;
  }

  async #deleteDue(): Promise<number> {
    const { metadata, store, graceMs } = this.#options;
    let deleted = 0;
    for (;;) {
      const keys = await metadata.deletions.due(graceMs, BATCH);
      if (keys.length === 0 || this.#isStopping) return deleted;
      await store.delete(keys);
      await metadata.deletions.done(keys);
      deleted += keys.length;
    }
  }

  /** Objects that a crash left before a row named them. */
  async #deleteUnknown(): Promise<number> {
    const { store, graceMs, appendMs } = this.#options;
    const minAgeMs = Math.max(graceMs, appendMs);
    let deleted = 0;
    let batch: string[] = [];
    for await (const { key, modifiedMs } of store.list()) {
      if (this.#isStopping) return deleted;
      if (modifiedMs > Date.now() - minAgeMs) continue;
      batch.push(key);
      if (batch.length < BATCH) continue;
      deleted += await this.#deleteIfUnknown(batch);
      batch = [];
    }
    return deleted + (await this.#deleteIfUnknown(batch));
  }

  async #deleteIfUnknown(keys: readonly string[]): Promise<number> {
    if (keys.length === 0) return 0;
    const { metadata, store } = this.#options;
    const unknown = await metadata.deletions.unknown(keys);
    await store.delete(unknown);
    return unknown.length;
  }
}
