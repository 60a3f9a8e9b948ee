import { setTimeout as delay } from 'node:timers/promises';
import type { Log } from '../log.ts';
import type { Locks } from '../meta/metadata-store.ts';
import { LOGINS_QUEUE, type OutboxRecords } from '../meta/records/outbox-records.ts';
import type { Metrics } from '../metrics.ts';
import type { RepositoryName } from '../oci/repository-name.ts';
import { Deliveries } from './deliveries.ts';
import { Orphans } from './orphans.ts';
import type { Sink } from './sink.ts';
import { type DeliverySettings, SinkDelivery } from './sink-delivery.ts';
import { SinkWatch } from './sink-watch.ts';

const STOP_TIMEOUT_MS = 8000;

export interface OutboxOptions {
  /** Their names differ. */
  readonly sinks: readonly Sink[];
  readonly records: OutboxRecords;
  readonly locks: Locks;
  readonly settings: DeliverySettings;
  readonly metrics: Metrics;
  readonly log: Log;
  /** Told of each sink, again and again. @param reason why it is stuck */
  readonly saw: (sink: string, isDelivering: boolean, reason?: string) => void;
}

/** Delivers events to all sinks. */
export class Outbox {
  readonly deliveries: Deliveries;
  readonly #sinks: readonly Sink[];
  readonly #running: readonly SinkDelivery[];
  readonly #watch: SinkWatch;
  readonly #orphans: Orphans;

  constructor({ sinks, records, locks, settings, metrics, log, saw }: OutboxOptions) {
    const names = sinks.map(({ name }) => name);
    this.#sinks = sinks;
    this.deliveries = new Deliveries(sinks, records);
    this.#running = sinks.map(
      (sink) => new SinkDelivery({ sink, records, locks, log, metrics, settings }),
    );
    this.#watch = new SinkWatch({ deliveries: this.deliveries, metrics, log, saw });
    const keepMs = settings.parkAfterMs + settings.keepParkedMs;
    this.#orphans = new Orphans({ sinks: names, records, locks, keepMs, log });
  }

  start(): void {
    this.#orphans.start();
    if (this.#sinks.length === 0) return;
    for (const delivery of this.#running) delivery.start();
    this.#watch.start();
  }

  /** Something was written. @param repository undefined: a refused login */
  wake(repository: RepositoryName | undefined): void {
    for (const delivery of this.#running) delivery.wake(repository ?? LOGINS_QUEUE);
  }

  /** Deliveries under way end, up to a bound; then the sinks are closed. */
  async stop(): Promise<void> {
    const ended = [this.#watch, this.#orphans, ...this.#running].map((part) => part.stop());
    // A database that hangs answers no question under way.
    const isTimeOver = delay(STOP_TIMEOUT_MS, undefined, { ref: false });
    await Promise.race([Promise.all(ended), isTimeOver]);
    for (const sink of this.#sinks) sink.close();
  }
}
