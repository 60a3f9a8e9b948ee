import { setMaxListeners } from 'node:events';
import type { Log } from '../log.ts';
import type { HeldLock, Locks } from '../meta/metadata-store.ts';
import {
  lockOf,
  type OutboxQueue,
  type OutboxRecords,
  type QueueName,
} from '../meta/records/outbox-records.ts';
import { Breaker } from './pauses.ts';
import { type DeliveryMetrics, deliverQueue } from './queue-delivery.ts';
import { QUEUE_DEPTH, QueueScan } from './queue-scan.ts';
import { Removals } from './removals.ts';
import type { Sink } from './sink.ts';
import { SinkNews } from './sink-news.ts';
import { Wakeable } from './wakeable.ts';

/** How soon another instance takes over from one that has died. */
const TAKEOVER_MS = 1000;
/** Queues that are read at once, since they have something new. */
const HINTS_AT_ONCE = 32;
const MAX_HINTS = 1000;
const AFTER_ERROR_MS = 2000;
const TIDY_MS = 60_000;
const TIDY_BATCH = 1000;
/** Deliveries under way get so long to end. */
const STOP_MS = 5000;
const DELIVERY_FAILED = 'the delivery of events failed; it is tried again';

export interface DeliverySettings {
  readonly deliveryTimeoutMs: number;
  /** Repositories at the same time. */
  readonly concurrency: number;
  readonly parkAfterMs: number;
  readonly keepParkedMs: number;
}

export interface SinkDeliveryOptions {
  readonly sink: Sink;
  readonly records: OutboxRecords;
  readonly locks: Locks;
  readonly log: Log;
  readonly metrics: DeliveryMetrics;
  readonly settings: DeliverySettings;
}

/** Delivers what the outbox has for one sink, on one instance at a time. */
export class SinkDelivery {
  readonly #options: SinkDeliveryOptions;
  readonly #removals: Removals;
  readonly #breaker = new Breaker();
  readonly #news: SinkNews;
  /** Queues that a delivery is under way of. */
  readonly #active = new Map<QueueName, Promise<void>>();
  /** Queues that have something new; those of other instances are found by scans. */
  readonly #hints = new Set<QueueName>();
  readonly #pause = new Wakeable();
  readonly #cut = new AbortController();
  readonly #scan: QueueScan;
  #lock: HeldLock | undefined;
  #nextTidyAt = 0;
  #isStopping = false;
  #running: Promise<void> = Promise.resolve();

  constructor(options: SinkDeliveryOptions) {
    const { sink, records, log } = options;
    this.#options = options;
    // Each delivery under way listens.
    setMaxListeners(0, this.#cut.signal);
    this.#removals = new Removals(records, log);
    this.#news = new SinkNews(sink.name, records, log);
    this.#scan = new QueueScan(sink.name, records);
  }

  start(): void {
    this.#running = this.#run();
  }

  /** There is something new in a queue. */
  wake(queue: QueueName): void {
    if (!this.#lock?.isHeld) return;
    if (this.#hints.size < MAX_HINTS) this.#hints.add(queue);
    if (!this.#breaker.isOpen) this.#pause.wake();
  }

  /** Deliveries under way end, up to a bound; no more begin. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    const timer = setTimeout(() => {
      this.#cut.abort();
      this.#removals.stop();
    }, STOP_MS);
    this.#pause.wake();
    await this.#running;
    clearTimeout(timer);
  }

  async #run(): Promise<void> {
    while (!this.#isStopping) {
      try {
        if (await this.#holdsLock()) await this.#round();
        else await this.#pause.sleep(TAKEOVER_MS);
      } catch (error) {
        const { log, sink } = this.#options;
        log.error(
          { err: error, sink: sink.name },
          'the delivery of events failed; it is tried again',
        );
        await this.#pause.sleep(AFTER_ERROR_MS);
      }
    }
    await Promise.all(this.#active.values());
    await this.#news.tell(true).catch(() => undefined);
    await this.#lock?.release();
  }

  /** A lock that was lost may be another instance's, once the deliveries under way have ended. */
  async #holdsLock(): Promise<boolean> {
    if (this.#lock?.isHeld) return true;
    await Promise.all(this.#active.values());
    const { locks, sink } = this.#options;
    this.#lock = await locks.tryAcquire(lockOf(sink.name));
    this.#scan.restart();
    if (this.#lock) this.#news.begun();
    return this.#lock !== undefined;
  }

  async #round(): Promise<void> {
    await this.#news.tell();
    await this.#tidy();
    if (this.#breaker.isOpen) return this.#probe();
    const names = [...this.#hints]
      .filter((name) => !this.#active.has(name))
      .slice(0, HINTS_AT_ONCE);
    if (names.length > 0) await this.#deliverHinted(names);
    if (this.#scan.waitMs === 0) await this.#deliverScanned();
    else if (names.length === 0) await this.#pause.sleep(this.#scan.waitMs);
  }

  async #deliverHinted(names: readonly QueueName[]): Promise<void> {
    for (const name of names) this.#hints.delete(name);
    const { records, sink } = this.#options;
    await this.#deliver(await records.read(sink.name, names, QUEUE_DEPTH));
  }

  async #deliverScanned(): Promise<void> {
    // What is read of a queue whose delivery ends meanwhile may be delivered already.
    const busy = new Set(this.#active.keys());
    const queues = await this.#scan.read();
    await this.#deliver(queues.filter(({ name }) => !busy.has(name)));
  }

  async #deliver(queues: readonly OutboxQueue[]): Promise<void> {
    for (const queue of queues) {
      while (this.#active.size >= this.#options.settings.concurrency) {
        await Promise.race(this.#active.values());
      }
      const mayGoOn = () => this.#mayDeliver && !this.#breaker.isOpen;
      if (!mayGoOn()) return;
      void this.#begin(queue, mayGoOn);
    }
  }

  /** Tries one delivery, of the many that wait for a sink that is down. */
  async #probe(): Promise<void> {
    if (this.#active.size > 0) return Promise.race(this.#active.values());
    const waitMs = Math.max(this.#breaker.waitMs, this.#scan.waitMs);
    if (waitMs > 0) return this.#pause.sleep(waitMs);
    const [queue] = await this.#scan.read();
    if (!queue) return;
    const first = { ...queue, entries: queue.entries.slice(0, 1) };
    await this.#begin(first, () => this.#mayDeliver);
    if (this.#breaker.isOpen) return;
    await this.#options.records.retryNow(this.#options.sink.name);
    this.#scan.restart();
  }

  #begin(queue: OutboxQueue, mayGoOn: () => boolean): Promise<void> {
    const { name, entries } = queue;
    const { settings, log, sink } = this.#options;
    const parts = {
      ...this.#options,
      ...settings,
      removals: this.#removals,
      breaker: this.#breaker,
      news: this.#news,
      cut: this.#cut.signal,
      mayGoOn,
    };
    const failed = (error: unknown) => {
      log.error({ err: error, sink: sink.name }, DELIVERY_FAILED);
    };
    const delivery = deliverQueue(parts, queue)
      .catch(failed)
      .finally(() => {
        this.#active.delete(name);
        if (entries.length === QUEUE_DEPTH) this.wake(name);
        else if (this.#hints.has(name)) this.#pause.wake();
      });
    this.#active.set(name, delivery);
    return delivery;
  }

  get #mayDeliver(): boolean {
    return !this.#isStopping && this.#lock?.isHeld === true;
  }

  /** Parks what a sink that is down left for too long, and removes what is of no use any more. */
  async #tidy(): Promise<void> {
    const now = performance.now();
    if (now < this.#nextTidyAt) return;
    this.#nextTidyAt = now + TIDY_MS;
    const { records, settings, sink } = this.#options;
    const { parkAfterMs, keepParkedMs } = settings;
    if (this.#breaker.isOpen) {
      const error = 'the sink took nothing for too long';
      while ((await records.parkAged(sink.name, parkAfterMs, error, TIDY_BATCH)) === TIDY_BATCH);
    }
    while ((await records.removeParked(sink.name, keepParkedMs, TIDY_BATCH)) === TIDY_BATCH);
  }
}
