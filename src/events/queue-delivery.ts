import type { Log } from '../log.ts';
import type { OutboxEntry, OutboxQueue, OutboxRecords } from '../meta/records/outbox-records.ts';
import type { Metrics } from '../metrics.ts';
import { attempt, type Outcome } from './attempt.ts';
import { type Breaker, pauseAfter } from './pauses.ts';
import type { Removals } from './removals.ts';
import type { Sink } from './sink.ts';
import type { SinkNews } from './sink-news.ts';

export type DeliveryMetrics = Pick<Metrics, 'outboxDelivery' | 'outboxDelay'>;

export interface QueueDeliveryParts {
  readonly sink: Sink;
  readonly records: Pick<OutboxRecords, 'postpone' | 'park'>;
  readonly removals: Pick<Removals, 'remove'>;
  readonly breaker: Breaker;
  readonly news: Pick<SinkNews, 'succeeded' | 'failed'>;
  readonly log: Log;
  readonly metrics: DeliveryMetrics;
  readonly deliveryTimeoutMs: number;
  readonly parkAfterMs: number;
  /** Ends deliveries under way. */
  readonly cut: AbortSignal;
  /** Asked before each delivery. */
  readonly mayGoOn: () => boolean;
}

/**
 * Delivers the beginning of a queue, one event after the other, up to the first one that has to be tried again.
 * Resolves when what was delivered is out of the outbox.
 */
export async function deliverQueue(parts: QueueDeliveryParts, queue: OutboxQueue): Promise<void> {
  const removed: Promise<void>[] = [];
  try {
    for (const entry of queue.entries) {
      if (!parts.mayGoOn()) break;
      const outcome = await timed(parts, entry);
      if (outcome.kind === 'cut') break;
      if (outcome.kind === 'delivered') {
        parts.breaker.succeeded();
        parts.news.succeeded();
        // The next one doesn't wait: what a crash meets before it is removed comes again, in order.
        removed.push(parts.removals.remove(entry.id));
      } else if (!(await settleFailure(parts, queue.name, entry, outcome))) break;
    }
  } finally {
    // Also when the database was away for a failure: who reads the queue before that delivers twice.
    await Promise.all(removed);
  }
}

async function timed(parts: QueueDeliveryParts, { event, ageMs }: OutboxEntry): Promise<Outcome> {
  const { sink, deliveryTimeoutMs, cut, metrics } = parts;
  const begin = performance.now();
  const outcome = await attempt(sink, event, deliveryTimeoutMs, cut);
  const seconds = (performance.now() - begin) / 1000;
  metrics.outboxDelivery(sink.name, outcome.kind, seconds);
  if (outcome.kind === 'delivered') metrics.outboxDelay(sink.name, ageMs / 1000 + seconds);
  return outcome;
}

/** @returns whether those behind it may go on */
async function settleFailure(
  { breaker, news, records, log, sink, parkAfterMs }: QueueDeliveryParts,
  queue: string,
  { id, event, attempts, ageMs }: OutboxEntry,
  { error, retryAfterMs }: Extract<Outcome, { kind: 'failed' }>,
): Promise<boolean> {
  breaker.failed(queue);
  news.failed(error);
  if (ageMs < parkAfterMs) {
    await records.postpone(id, error, pauseAfter(attempts + 1, retryAfterMs));
    return false;
  }
  await records.park(id, error);
  const { id: event_id, kind, repository, tag } = event;
  log.warn(
    { sink: sink.name, event: event_id, kind, repository, tag, error },
    'an event is parked',
  );
  return true;
}
