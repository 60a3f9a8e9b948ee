import { expect, test } from 'vitest';
import { Pace } from '../../src/http/pace.ts';

const RULE = { minBytesPerSecond: 1000, idleTimeoutMs: 10_000 };
const MIB = 1024 * 1024;

/** A client that sends `bytes` every `everyMs`. @returns when it is cut, or undefined. */
function cutAt(bytes: number, everyMs: number, untilMs = 600_000): number | undefined {
  const pace = new Pace(RULE);
  pace.wait(0);
  for (let nowMs = 100; nowMs <= untilMs; nowMs += 100) {
    if (pace.isTooSlow(nowMs)) return nowMs;
    if (nowMs % everyMs !== 0) continue;
    pace.stop(nowMs, bytes);
    pace.wait(nowMs);
  }
  return undefined;
}

test('who is silent is cut after the idle time-out', () => {
  expect(cutAt(0, 1000)).toBe(10_100);
});

test.each([
  ['the minimum rate', 1000, 1000],
  ['the minimum rate, in large pieces', 9000, 9000],
  ['a higher rate', 100_000, 5000],
])('who keeps %s is never cut', (_, bytes, everyMs) => {
  expect(cutAt(bytes, everyMs)).toBeUndefined();
});

test('who is slower by a half is cut when it is behind by the idle time-out', () => {
  expect(cutAt(500, 1000)).toBeGreaterThan(18_000);
  expect(cutAt(500, 1000)).toBeLessThan(22_000);
});

test('what was moved fast saves no time for later', () => {
  const pace = new Pace(RULE);
  pace.wait(0);
  pace.stop(1000, 1000 * MIB);
  pace.wait(1000);
  expect(pace.isTooSlow(11_000)).toBe(false);
  expect(pace.isTooSlow(11_001)).toBe(true);
});

test('the time in which it is not waited for does not count', () => {
  const pace = new Pace(RULE);
  pace.wait(0);
  pace.stop(5000);
  expect(pace.isTooSlow(100_000)).toBe(false);
  pace.wait(100_000);
  expect(pace.isTooSlow(105_000)).toBe(false);
  expect(pace.isTooSlow(105_001)).toBe(true);
});

test('a reader gets the time that what the kernel took ahead of it is worth, up to 1 MiB', () => {
  const pace = new Pace(RULE);
  pace.wait(0, 50_000);
  expect(pace.isTooSlow(60_000)).toBe(false);
  expect(pace.isTooSlow(60_001)).toBe(true);
  const ahead = new Pace(RULE);
  ahead.wait(0, 100 * MIB);
  expect(ahead.isTooSlow(10_000 + 1049_000)).toBe(true);
});

test('a reader that takes what was ahead at the minimum rate is never cut', () => {
  const pace = new Pace(RULE);
  for (let turn = 0; turn < 100; turn += 1) {
    const nowMs = turn * 500_000;
    pace.wait(nowMs, 500_000);
    expect(pace.isTooSlow(nowMs + 499_999)).toBe(false);
    pace.stop(nowMs + 500_000);
  }
});
