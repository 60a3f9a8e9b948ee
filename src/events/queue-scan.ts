import type { OutboxQueue, OutboxRecords, QueueName } from '../meta/records/outbox-records.ts';

/** What other instances wrote is found after so long. */
const SCAN_EVERY_MS = 1000;
/** Scans may take a tenth of the time. */
const SCAN_SHARE = 10;
/** Queues in one query, and entries of each. */
const SCAN_QUEUES = 32;
export const QUEUE_DEPTH = 16;

/** Goes through the queues of a sink by name, some at a time: none is left out, however many events others have. */
export class QueueScan {
  readonly #sink: string;
  readonly #records: OutboxRecords;
  /** Behind which queue it goes on. */
  #cursor: QueueName | undefined;
  /** What its queries took so far. */
  #tookMs = 0;
  /** The first time at which an event is due that wasn't. */
  #firstDueAt = Number.POSITIVE_INFINITY;
  #nextAt = 0;

  constructor(sink: string, records: OutboxRecords) {
    this.#sink = sink;
    this.#records = records;
  }

  /** Until there may be something to read. */
  get waitMs(): number {
    return this.#cursor === undefined ? Math.max(0, this.#nextAt - performance.now()) : 0;
  }

  /** It begins anew, now. */
  restart(): void {
    this.#cursor = undefined;
    this.#nextAt = 0;
  }

  /** The next queues whose first event is due. */
  async read(): Promise<OutboxQueue[]> {
    if (this.#cursor === undefined) {
      this.#tookMs = 0;
      this.#firstDueAt = Number.POSITIVE_INFINITY;
    }
    const begin = performance.now();
    const queues = await this.#records.scan(this.#sink, this.#cursor, SCAN_QUEUES, QUEUE_DEPTH);
    const now = performance.now();
    this.#tookMs += now - begin;
    for (const { waitMs } of queues) {
      if (waitMs > 0) this.#firstDueAt = Math.min(this.#firstDueAt, now + waitMs);
    }
    this.#cursor = queues.length < SCAN_QUEUES ? undefined : queues.at(-1)?.name;
    if (this.#cursor === undefined) this.#nextAt = this.#nextScan(now);
    return queues.filter(({ entries }) => entries.length > 0);
  }

  #nextScan(now: number): number {
    const earliest = now + SCAN_SHARE * this.#tookMs;
    return Math.max(earliest, Math.min(now + SCAN_EVERY_MS, this.#firstDueAt));
  }
}
