import { expect, test } from 'vitest';
import { SinkWatch } from '../../../src/events/sink-watch.ts';
import { createLog } from '../../../src/log.ts';
import type { SinkState } from '../../../src/meta/records/outbox-records.ts';
import { createMetrics } from '../../../src/metrics.ts';

const HAPPENED = new Date('2026-11-23T08:00:00Z');
const BEFORE = new Date('2026-11-23T07:00:00Z');
const AFTER = new Date('2026-11-23T08:01:00Z');
const WAITS: SinkState = {
  sink: 'test',
  pending: 3,
  parked: 0,
  oldest: HAPPENED,
  oldestAgeMs: 120_000,
  lastSuccess: undefined,
  lastFailure: undefined,
  lastError: undefined,
};

/** What is told of a sink in this state. */
async function toldOf(state: Partial<SinkState>): Promise<readonly [boolean, string | undefined]> {
  const sinks = [{ description: 'a sink', state: { ...WAITS, ...state } }];
  let told: readonly [boolean, string | undefined] | undefined;
  const watch = new SinkWatch({
    deliveries: { sinks: async () => sinks },
    metrics: createMetrics(),
    log: createLog('silent'),
    saw: (_, isDelivering, reason) => {
      told = [isDelivering, reason];
    },
  });
  watch.start();
  await watch.stop();
  if (!told) throw new Error('nothing was told');
  return told;
}

test('a sink whose last delivery failed is stuck once something waits for a minute', async () => {
  const failing = { lastSuccess: HAPPENED, lastFailure: AFTER, lastError: 'status 500' };
  expect(await toldOf(failing)).toEqual([false, '3 events wait: status 500']);
  expect(await toldOf({ ...failing, oldestAgeMs: 59_000 })).toEqual([true, undefined]);
  expect(await toldOf({ lastSuccess: AFTER, lastFailure: HAPPENED })).toEqual([true, undefined]);
});

test('a sink to which nobody delivers, so that nothing fails either, is stuck', async () => {
  const idle = [false, '3 events wait, and no instance delivers them'];
  expect(await toldOf({})).toEqual(idle);
  expect(await toldOf({ lastSuccess: BEFORE })).toEqual(idle);
  expect(await toldOf({ lastSuccess: AFTER })).toEqual([true, undefined]);
  expect(await toldOf({ oldest: undefined, oldestAgeMs: 0, pending: 0 })).toEqual([
    true,
    undefined,
  ]);
});
