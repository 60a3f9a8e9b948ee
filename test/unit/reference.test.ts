import { expect, test } from 'vitest';
import { parseReference, parseTag } from '../../src/oci/reference.ts';

test.each([
  '1',
  'a',
  '_',
  'latest',
  '1.0',
  '1.0-SNAPSHOT',
  'V1_2.3-rc',
  '_private',
  `sha256-${'a'.repeat(64)}.sig`,
  'a'.repeat(128),
])('%s is a tag', (text) => {
  expect(parseTag(text)).toBe(text);
  expect(parseReference(text)).toEqual({ kind: 'tag', tag: text });
});

test.each([
  '',
  '.hidden',
  '-dash',
  'a'.repeat(129),
  'a b',
  'a/b',
  'a:b',
  'a+b',
  'a@b',
  'ä',
  'a\n',
  'a%20b',
])('%j is neither tag nor digest', (text) => {
  expect(parseTag(text)).toBeUndefined();
  expect(parseReference(text)).toBeUndefined();
});

test.each([`sha256:${'a'.repeat(64)}`, `sha512:${'b'.repeat(128)}`])('%s is a digest', (text) => {
  expect(parseReference(text)).toEqual({ kind: 'digest', digest: text });
});

test('a malformed digest is not taken for a tag', () => {
  expect(parseReference(`sha256:${'a'.repeat(63)}`)).toBeUndefined();
  expect(parseReference(`sha384:${'a'.repeat(96)}`)).toBeUndefined();
});
