import { expect, test } from 'vitest';
import { RefusedLogins } from '../../../src/auth/refused-logins.ts';
import { createLog } from '../../../src/log.ts';

test('however many logins are refused, a few are told in a minute, and then how many there were', async () => {
  let now = 0;
  const told: string[] = [];
  const logins = new RefusedLogins({
    records: { addLogin: async ({ reason }) => void told.push(reason) },
    log: createLog('silent'),
    maxEvents: 2,
    now: () => now,
  });
  for (let i = 0; i < 100; i += 1) await logins.tell('192.0.2.7', 'the token has expired');
  expect(told).toHaveLength(2);
  now = 60_000;
  await logins.tell('192.0.2.8', 'the token has expired');
  expect(told.slice(2)).toEqual([
    'a login from 192.0.2.8 was refused (98 others were refused before): the token has expired',
  ]);
});

test('a login that can not be written down is refused like any other', async () => {
  const logins = new RefusedLogins({
    records: { addLogin: () => Promise.reject(new Error('no database')) },
    log: createLog('silent'),
  });
  await expect(logins.tell('192.0.2.7', 'the token has expired')).resolves.toBeUndefined();
});
