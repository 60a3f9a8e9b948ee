import { expect, test } from 'vitest';
import { Breaker, pauseAfter } from '../../src/events/pauses.ts';

test('pauses grow to five minutes, and are a half of that at least', () => {
  const longest = () => 1;
  expect([1, 2, 3, 9, 30].map((attempts) => pauseAfter(attempts, undefined, longest))).toEqual([
    1000, 2000, 4000, 256_000, 300_000,
  ]);
  expect(pauseAfter(3, undefined, () => 0)).toBe(2000);
});

test('what the receiver wants is heeded, up to an hour', () => {
  expect(pauseAfter(1, 60_000)).toBe(60_000);
  expect(pauseAfter(9, 1000, () => 1)).toBe(256_000);
  expect(pauseAfter(1, 86_400_000)).toBe(3_600_000);
});

test('one queue that fails, however often, is not the sink', () => {
  const breaker = new Breaker();
  for (let i = 0; i < 20; i += 1) breaker.failed(`team/app${i % 2}`);
  expect(breaker.isOpen).toBe(false);
  expect(breaker.waitMs).toBe(0);
});

test('failures of several queues open it until something succeeds; probes wait up to five seconds', () => {
  let now = 0;
  const breaker = new Breaker(() => now);
  for (let i = 0; i < 5; i += 1) breaker.failed(`team/app${i}`);
  expect(breaker.isOpen).toBe(true);
  expect(breaker.waitMs).toBeGreaterThanOrEqual(500);
  now = 1000;
  expect(breaker.waitMs).toBe(0);
  for (let i = 0; i < 50; i += 1) breaker.failed('team/app');
  expect(breaker.waitMs).toBeGreaterThanOrEqual(2500);
  expect(breaker.waitMs).toBeLessThanOrEqual(5000);
  breaker.succeeded();
  expect(breaker.isOpen).toBe(false);
});
