import { expect, test } from 'vitest';
import { leaksOf } from '../support/secrecy.ts';

const SECRET = 'line 1\n+/=ÿ?~';

test.each<[string, unknown]>([
  ['plain', `token=${SECRET}.`],
  ['plain', new Error(`no ${SECRET}`)],
  ['plain', new Error('no', { cause: { headers: [SECRET] } })],
  ['plain', Object.assign(new Error('no'), { [SECRET]: 1 })],
  ['in JSON', JSON.stringify({ secret: SECRET })],
  ['percent-encoded', new URLSearchParams([['a', '']]) + encodeURIComponent(SECRET)],
  ['percent-encoded', encodeURIComponent(SECRET).toLowerCase()],
  ['percent-encoded', new URLSearchParams([['a', SECRET]]).toString()],
  ...['', 'a', 'ab', 'oauth2:'].flatMap((user): [string, string][] => [
    ['base64', Buffer.from(`${user}${SECRET}`).toString('base64')],
    ['base64url', Buffer.from(`${user}${SECRET}.`).toString('base64url')],
  ]),
])('a leak is found: %s in %j', (form, said) => {
  expect(leaksOf(SECRET, said)).toContain(form);
});

test('nothing is found where nothing is', () => {
  const circle: { self?: unknown } = {};
  circle.self = circle;
  expect(leaksOf(SECRET, ['line 1', new Error('line 1'), circle, 7, undefined])).toEqual([]);
});
