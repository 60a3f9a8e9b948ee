import type { Log } from '../log.ts';
import type { OutboxRecords } from '../meta/records/outbox-records.ts';

const REPORT_EVERY_MS = 2000;
/** A sink that fails now and then is logged so often. */
const LOG_EVERY_MS = 60_000;

/** Times are those of performance.now(). */
interface Untold {
  readonly succeededAt?: number;
  readonly failedAt?: number;
  readonly error?: string;
}

/** What is told of a sink: to the log when it changes, to all instances from time to time. */
export class SinkNews {
  readonly #sink: string;
  readonly #records: OutboxRecords;
  readonly #log: Log;
  /** Undefined: all is told. */
  #untold: Untold | undefined;
  #reportedAt = Number.NEGATIVE_INFINITY;
  #loggedAt = Number.NEGATIVE_INFINITY;
  /** The log says that it fails. */
  #isLogged = false;

  constructor(sink: string, records: OutboxRecords, log: Log) {
    this.#sink = sink;
    this.#records = records;
    this.#log = log;
  }

  succeeded(): void {
    this.#untold = { ...this.#untold, succeededAt: performance.now() };
    if (this.#isLogged) this.#log.info({ sink: this.#sink }, 'events are delivered again');
    this.#isLogged = false;
  }

  failed(error: string): void {
    const now = performance.now();
    this.#untold = { ...this.#untold, failedAt: now, error };
    if (this.#isLogged || now - this.#loggedAt < LOG_EVERY_MS) return;
    this.#isLogged = true;
    this.#loggedAt = now;
    this.#log.warn(
      { sink: this.#sink, error },
      'an event could not be delivered; it is tried again',
    );
  }

  /** Nothing happened yet, but there is somebody who delivers. */
  begun(): void {
    this.#untold ??= {};
  }

  /** @throws when the database is away; then it is told the next time */
  async tell(isLast = false): Promise<void> {
    const untold = this.#untold;
    const now = performance.now();
    if (!untold || (!isLast && now - this.#reportedAt < REPORT_EVERY_MS)) return;
    this.#reportedAt = now;
    this.#untold = undefined;
    const ageOf = (time: number | undefined) => (time === undefined ? undefined : now - time);
    const report = {
      successAgeMs: ageOf(untold.succeededAt),
      failureAgeMs: ageOf(untold.failedAt),
      lastError: untold.error,
    };
    try {
      await this.#records.report(this.#sink, report);
    } catch (error) {
      this.#restore(untold);
      throw error;
    }
  }

  #restore(untold: Untold): void {
    this.#untold = { ...untold, ...this.#untold };
  }
}
