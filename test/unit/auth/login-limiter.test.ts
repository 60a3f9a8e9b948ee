import { beforeEach, describe, expect, test } from 'vitest';
import { LoginLimiter } from '../../../src/auth/login-limiter.ts';

const NAT = '192.0.2.1';
const MINUTE_MS = 60_000;

let now = 0;
let limiter: LoginLimiter;

beforeEach(() => {
  now = 1_000_000;
  limiter = new LoginLimiter({ now: () => now });
});

function fail(times: number, source: string, credential: string): void {
  for (let time = 0; time < times; time += 1) limiter.failed(source, credential);
}

function failDifferently(times: number, source: string): void {
  for (let time = 0; time < times; time += 1) limiter.failed(source, `bad-${time}`);
}

describe('one bad credential', () => {
  test('is refused after ten failures, until a minute after the first', () => {
    fail(9, NAT, 'bad');
    expect(limiter.retryAfterMs(NAT, 'bad')).toBeUndefined();
    now += 10_000;
    fail(1, NAT, 'bad');
    expect(limiter.retryAfterMs(NAT, 'bad')).toBe(50_000);
    now += 49_999;
    expect(limiter.retryAfterMs(NAT, 'bad')).toBe(1);
    now += 1;
    expect(limiter.retryAfterMs(NAT, 'bad')).toBeUndefined();
  });

  test('locks out no other credential of its source, and itself from nowhere else', () => {
    fail(1000, NAT, 'bad');
    expect(limiter.retryAfterMs(NAT, 'good')).toBeUndefined();
    expect(limiter.retryAfterMs(NAT, 'never seen')).toBeUndefined();
    expect(limiter.retryAfterMs('192.0.2.2', 'bad')).toBeUndefined();
  });

  test('starts anew once it was valid', () => {
    fail(10, NAT, 'mended');
    limiter.succeeded(NAT, 'mended');
    expect(limiter.retryAfterMs(NAT, 'mended')).toBeUndefined();
  });
});

describe('many bad credentials from one source', () => {
  test('end logins from there after a hundred, until a minute after the first', () => {
    failDifferently(99, NAT);
    expect(limiter.retryAfterMs(NAT, 'new')).toBeUndefined();
    failDifferently(100, NAT);
    expect(limiter.retryAfterMs(NAT, 'new')).toBe(MINUTE_MS);
    expect(limiter.retryAfterMs('192.0.2.2', 'new')).toBeUndefined();
    now += MINUTE_MS;
    expect(limiter.retryAfterMs(NAT, 'new')).toBeUndefined();
  });

  test('hold up nobody who was valid from there within an hour', () => {
    limiter.succeeded(NAT, 'good');
    now += 59 * MINUTE_MS;
    failDifferently(100, NAT);
    expect(limiter.retryAfterMs(NAT, 'good')).toBeUndefined();
    expect(limiter.retryAfterMs(NAT, 'new')).toBe(MINUTE_MS);
    now += MINUTE_MS;
    failDifferently(100, NAT);
    expect(limiter.retryAfterMs(NAT, 'good')).toBe(MINUTE_MS);
  });

  test('are told from one that fails often', () => {
    for (const credential of ['a', 'b', 'c']) fail(9, NAT, credential);
    fail(500, NAT, 'd');
    expect(limiter.retryAfterMs(NAT, 'new')).toBeUndefined();
  });

  test('a credential that was valid is still limited by its own failures', () => {
    limiter.succeeded(NAT, 'revoked');
    fail(10, NAT, 'revoked');
    expect(limiter.retryAfterMs(NAT, 'revoked')).toBe(MINUTE_MS);
  });
});

describe('a source', () => {
  test.each([
    ['2001:db8:1:2::1', '2001:db8:1:2:ffff:ffff:ffff:ffff', true],
    ['2001:db8:1:2::1', '2001:0DB8:0001:0002::9', true],
    ['2001:db8::1', '2001:db8:0:0:1::', true],
    ['fe80::1%eth0', 'fe80::2', true],
    ['2001:db8:1:2::1', '2001:db8:1:3::1', false],
    ['::ffff:192.0.2.1', '192.0.2.1', true],
    ['::ffff:192.0.2.1', '::ffff:192.0.2.2', false],
    ['192.0.2.1', '192.0.2.2', false],
  ])('%s and %s: the same? %s', (one, other, isSame) => {
    fail(10, one, 'bad');
    expect(limiter.retryAfterMs(other, 'bad') !== undefined).toBe(isSame);
  });
});

test('memory is bounded, whatever is tried', () => {
  const bounded = new LoginLimiter({ maxEntries: 100 });
  for (let index = 0; index < 20_000; index += 1) {
    bounded.failed(`10.0.${index >> 8}.${index & 255}`, `bad-${index}`);
    bounded.succeeded(NAT, `good-${index}`);
  }
  expect(bounded.size).toBeLessThanOrEqual(300);
});
