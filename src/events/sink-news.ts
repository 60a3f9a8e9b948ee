import type { Log } from '../log.ts';
import type { OutboxRecords, SinkReport } from '../meta/outbox-records.ts';

const REPORT_EVERY_MS = 2000;
/** A sink that fails now and then is logged so often. */
const LOG_EVERY_MS = 60_000;

/** What is told of a sink: to the log when it changes, to all instances from time to time. */
export class SinkNews {
  readonly #sink: string;
  readonly #records: OutboxRecords;
  readonly #log: Log;
  /** Undefined: all is told. */
  #report: SinkReport | undefined = {};
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
    this.#report = { ...this.#report, lastSuccess: new Date() };
    if (this.#isLogged) this.#log.info({ sink: this.#sink }, 'events are delivered again');
    this.#isLogged = false;
  }

  failed(error: string): void {
    this.#report = { ...this.#report, lastFailure: new Date(), lastError: error };
    const now = performance.now();
    if (this.#isLogged || now - this.#loggedAt < LOG_EVERY_MS) return;
    this.#isLogged = true;
    this.#loggedAt = now;
    this.#log.warn(
      { sink: this.#sink, error },
      'an event could not be delivered; it is tried again',
    );
  }

  async tell(isLast = false): Promise<void> {
    const report = this.#report;
    const now = performance.now();
    if (!report || (!isLast && now - this.#reportedAt < REPORT_EVERY_MS)) return;
    this.#reportedAt = now;
    this.#report = undefined;
    await this.#records.report(this.#sink, report);
  }
}
