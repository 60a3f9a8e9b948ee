import { expect, test } from 'vitest';
import { Breaker } from '../../../src/events/pauses.ts';
import { deliverQueue, type QueueDeliveryParts } from '../../../src/events/queue-delivery.ts';
import { createLog } from '../../../src/log.ts';
import { createMetrics } from '../../../src/metrics.ts';
import { registryEvent } from '../../support/registry-events.ts';

/** Takes the first event, and no other; its database is away when that is to be written down. */
function partsWith(remove: () => Promise<void>): QueueDeliveryParts {
  let taken = 0;
  return {
    sink: {
      name: 'test',
      description: 'takes one',
      accepts: () => true,
      deliver: async () => {
        taken += 1;
        if (taken > 1) throw new Error('no more');
      },
      close: () => undefined,
    },
    records: {
      postpone: () => Promise.reject(new Error('no database')),
      park: () => Promise.reject(new Error('no database')),
    },
    removals: { remove },
    breaker: new Breaker(),
    news: { succeeded: () => undefined, failed: () => undefined },
    log: createLog('silent'),
    metrics: createMetrics(),
    deliveryTimeoutMs: 1000,
    parkAfterMs: 1000,
    cut: new AbortController().signal,
    mayGoOn: () => true,
  };
}

test('a delivery that ends with an error waits until what was delivered is removed', async () => {
  const { promise: removed, resolve: endRemoval } = withResolvers();
  const entries = ['1', '2'].map((id) => ({ id, attempts: 0, ageMs: 0, event: registryEvent() }));
  const steps: string[] = [];
  const delivery = deliverQueue(
    partsWith(() => removed.then(() => void steps.push('removed'))),
    { name: 'acme/app', waitMs: 0, entries },
  ).catch(() => void steps.push('ended'));
  setImmediate(endRemoval);
  await delivery;
  expect(steps).toEqual(['removed', 'ended']);
});

function withResolvers(): { promise: Promise<void>; resolve: () => void } {
  let resolve = () => {};
  const promise = new Promise<void>((done) => {
    resolve = done;
  });
  return { promise, resolve };
}
