import { expect, test } from 'vitest';
import { endpointBelow } from '../../../src/auth/ask-as-bearer.ts';

test.each<[string, string[], string]>([
  ['https://kio.example.org', ['apps', 'robot'], 'https://kio.example.org/apps/robot'],
  ['https://example.org/kio//', ['apps', 'robot'], 'https://example.org/kio/apps/robot'],
  ['https://example.org/a%2Fb?key=1', ['x'], 'https://example.org/a%2Fb/x?key=1'],
  ['https://example.org', ['../a b?c#d%'], 'https://example.org/..%2Fa%20b%3Fc%23d%25'],
])('below %s, %j is %s', (base, segments, expected) => {
  expect(endpointBelow(new URL(base), ...segments).href).toBe(expected);
});

test.each(['', '.', '..'])('what leads elsewhere is refused: %j', (segment) => {
  expect(() => endpointBelow(new URL('https://example.org'), 'apps', segment)).toThrow(RangeError);
});
