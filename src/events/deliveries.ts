import type { FailedDelivery, OutboxRecords, SinkState } from '../meta/records/outbox-records.ts';
import type { Sink } from './sink.ts';

export type { FailedDelivery } from '../meta/records/outbox-records.ts';

/** A sink, and how deliveries to it go. */
export interface SinkStatus {
  /** Undefined: this instance doesn't have it; what waits for it is another's, or nobody's. */
  readonly description: string | undefined;
  readonly state: SinkState;
}

/** What waits for sinks, for operators. */
export class Deliveries {
  readonly #sinks: readonly Sink[];
  readonly #records: OutboxRecords;

  constructor(sinks: readonly Sink[], records: OutboxRecords) {
    this.#sinks = sinks;
    this.#records = records;
  }

  async sinks(): Promise<SinkStatus[]> {
    const states = await this.#records.states();
    return states.map((state) => ({
      description: this.#sinks.find(({ name }) => name === state.sink)?.description,
      state,
    }));
  }

  /** Events whose delivery failed at least once, oldest first. */
  listFailed(after: string | undefined, limit: number): Promise<FailedDelivery[]> {
    return this.#records.listFailed(after, limit);
  }
}
