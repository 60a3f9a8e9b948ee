import { expect, test } from 'vitest';
import { retryAfterMs } from '../../../src/events/retry-after.ts';

const NOW = new Date('2026-11-23T08:15:30Z');

test.each<[string | undefined, number | undefined]>([
  [undefined, undefined],
  ['0', 0],
  ['7', 7000],
  [' 120 ', 120_000],
  ['3600', 3_600_000],
  ['3601', 3_600_000],
  ['9'.repeat(400), 3_600_000],
  ['Mon, 23 Nov 2026 08:15:40 GMT', 10_000],
  ['Mon, 23 Nov 2026 08:15:30 GMT', 0],
  ['Mon, 23 Nov 2026 08:15:29 GMT', undefined],
  ['Fri, 31 Dec 9999 23:59:59 GMT', 3_600_000],
  ['-1', undefined],
  ['1.5', undefined],
  ['2030', 2_030_000],
  ['soon', undefined],
  ['soon, perhaps', undefined],
  ['', undefined],
])('Retry-After: %s is %s ms', (header, expected) => {
  expect(retryAfterMs(header, NOW)).toBe(expected);
});
