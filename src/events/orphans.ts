import type { Log } from '../log.ts';
import type { Locks } from '../meta/metadata-store.ts';
import { lockOf, type OutboxRecords } from '../meta/records/outbox-records.ts';
import { BackgroundJob } from '../registry/background-job.ts';

const FIRST_MS = 1000;
const INTERVAL_MS = 3_600_000;
const BATCH = 1000;

export interface OrphansOptions {
  /** Names of those that this instance has. */
  readonly sinks: readonly string[];
  readonly records: Pick<OutboxRecords, 'sinks' | 'removeAged' | 'forget'>;
  readonly locks: Pick<Locks, 'isHeld'>;
  /** What waits for no longer than this may still be delivered, if the sink comes back. */
  readonly keepMs: number;
  readonly log: Log;
}

/** Removes what waits for sinks that no instance has any more. */
export class Orphans {
  readonly #options: OrphansOptions;
  readonly #job: BackgroundJob;
  #isStopping = false;

  constructor(options: OrphansOptions) {
    this.#options = options;
    this.#job = new BackgroundJob(
      {
        firstMs: FIRST_MS,
        intervalMs: INTERVAL_MS,
        log: options.log,
        failure: 'events of sinks that are no more could not be removed; it is tried again',
      },
      () => this.#remove(),
    );
  }

  start(): void {
    this.#job.start();
  }

  async stop(): Promise<void> {
    this.#isStopping = true;
    await this.#job.stop();
  }

  async #remove(): Promise<void> {
    const { sinks, records, locks } = this.#options;
    for (const sink of await records.sinks()) {
      // An instance may have sinks that this one hasn't.
      if (sinks.includes(sink) || (await locks.isHeld(lockOf(sink)))) continue;
      await this.#removeOf(sink);
      if (this.#isStopping) return;
    }
  }

  async #removeOf(sink: string): Promise<void> {
    const { records, keepMs, log } = this.#options;
    let removed = 0;
    for (let batch = BATCH; batch === BATCH && !this.#isStopping; removed += batch) {
      batch = await records.removeAged(sink, keepMs, BATCH);
    }
    if (removed > 0)
      log.warn({ sink, events: removed }, 'events were removed: no instance has their sink');
    if (!this.#isStopping) await records.forget(sink);
  }
}
