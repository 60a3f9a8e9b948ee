import { expect, test } from 'vitest';
import { RefusalLimiter } from '../../../src/auth/refusal-limiter.ts';

const eve = { uid: 'eve' };

test('so many different refusals in a minute, repeated ones as often as they come', () => {
  let now = 0;
  const limiter = new RefusalLimiter({ maxRefusals: 2, now: () => now });
  expect(limiter.count(eve, 'a')).toBeUndefined();
  expect(limiter.count(eve, 'b')).toBeUndefined();
  now = 20_000;
  expect(limiter.count(eve, 'c')).toBe(40_000);
  expect(limiter.count(eve, 'a')).toBeUndefined();
  now = 60_000;
  expect(limiter.count(eve, 'c')).toBeUndefined();
});

test('each principal has its own: the same uid of another issuer is another one', () => {
  const limiter = new RefusalLimiter({ maxRefusals: 1 });
  expect(limiter.count(eve, 'a')).toBeUndefined();
  expect(limiter.count(eve, 'b')).toBeGreaterThan(0);
  expect(limiter.count({ ...eve, issuer: 'https://issuer.example.org' }, 'b')).toBeUndefined();
});
