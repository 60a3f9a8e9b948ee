import { setTimeout as delay } from 'node:timers/promises';
import type { Log } from '../log.ts';
import type { OutboxRecords } from '../meta/records/outbox-records.ts';

const RETRY_MS = 500;
const FAILURE = 'delivered events could not be removed; it is tried until it succeeds';

interface Removal {
  readonly id: string;
  readonly done: () => void;
}

/** Takes delivered events out of the outbox: all that came while the statement before was under way, in one. */
export class Removals {
  readonly #records: OutboxRecords;
  readonly #log: Log;
  #waiting: Removal[] = [];
  #isRunning = false;
  #isStopped = false;

  constructor(records: OutboxRecords, log: Log) {
    this.#records = records;
    this.#log = log;
  }

  /**
   * Resolves when the row is gone. While the database is away that is tried again: what was delivered isn't delivered
   * again for that. Never rejects.
   */
  remove(id: string): Promise<void> {
    return new Promise((done) => {
      this.#waiting.push({ id, done });
      if (!this.#isRunning) void this.#run();
    });
  }

  /** Gives up what can't be removed. */
  stop(): void {
    this.#isStopped = true;
  }

  async #run(): Promise<void> {
    this.#isRunning = true;
    while (this.#waiting.length > 0) {
      const batch = this.#waiting.splice(0);
      await this.#remove(batch.map(({ id }) => id));
      for (const { done } of batch) done();
    }
    this.#isRunning = false;
  }

  async #remove(ids: readonly string[]): Promise<void> {
    for (let attempts = 1; ; attempts += 1) {
      try {
        return await this.#records.remove(ids);
      } catch (error) {
        if (this.#isStopped) return;
        if (attempts === 1) this.#log.warn({ err: error }, FAILURE);
        await delay(RETRY_MS);
      }
    }
  }
}
