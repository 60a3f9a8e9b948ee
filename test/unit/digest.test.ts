import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import {
  digestAlgorithm,
  digestBytes,
  digestOf,
  isDigestAlgorithm,
  parseDigest,
} from '../../src/oci/digest.ts';
import { present } from '../support/vocabulary.ts';

const SHA256 = `sha256:${'0123456789abcdef'.repeat(4)}`;
const SHA512 = `sha512:${'0123456789abcdef'.repeat(8)}`;

test.each([SHA256, SHA512])('%s is a digest', (text) => {
  expect(parseDigest(text)).toBe(text);
});

test.each([
  ['empty', ''],
  ['no algorithm', 'a'.repeat(64)],
  ['no hex', 'sha256:'],
  ['one digit short', SHA256.slice(0, -1)],
  ['one digit long', `${SHA256}0`],
  ['upper case hex', SHA256.toUpperCase().replace('SHA', 'sha')],
  ['upper case algorithm', SHA256.replace('sha', 'SHA')],
  ['a digit that is not hex', `sha256:${'g'.repeat(64)}`],
  ['the length of the other algorithm', `sha512:${'a'.repeat(64)}`],
  ['and the other way round', `sha256:${'a'.repeat(128)}`],
  ['an unsupported algorithm', `sha384:${'a'.repeat(96)}`],
  ['an algorithm with parts', `sha256+b64:${'a'.repeat(64)}`],
  ['a line feed at its end', `${SHA256}\n`],
  ['space before', ` ${SHA256}`],
  ['percent-encoded', SHA256.replace(':', '%3A')],
  ['two colons', SHA256.replace(':', '::')],
])('%s is no digest', (_, text) => {
  expect(parseDigest(text)).toBeUndefined();
});

test('a digest knows its algorithm', () => {
  expect(digestAlgorithm(present(parseDigest(SHA256), 'digest'))).toBe('sha256');
  expect(digestAlgorithm(present(parseDigest(SHA512), 'digest'))).toBe('sha512');
});

test('algorithms are named exactly', () => {
  expect(['sha256', 'sha512', 'SHA256', 'sha384', 'md5', ''].filter(isDigestAlgorithm)).toEqual([
    'sha256',
    'sha512',
  ]);
});

describe('digestOf', () => {
  test('joins an algorithm and its output', () => {
    expect(digestOf('sha256', 'ab'.repeat(32))).toBe(`sha256:${'ab'.repeat(32)}`);
    expect(digestOf('sha512', 'ab'.repeat(64))).toBe(`sha512:${'ab'.repeat(64)}`);
  });

  test.each([
    ['sha256', 'ab'.repeat(64)],
    ['sha512', 'ab'.repeat(32)],
    ['sha256', 'AB'.repeat(32)],
    ['sha256', ''],
  ] as const)('refuses %s with %s', (algorithm, hex) => {
    expect(() => digestOf(algorithm, hex)).toThrow(RangeError);
  });
});

test.each(['sha256', 'sha512'] as const)('bytes are digested as OpenSSL does it: %s', (name) => {
  const bytes = Buffer.from('{"schemaVersion":2}');
  const hex = createHash(name).update(bytes).digest('hex');
  expect(digestBytes(name, bytes)).toBe(`${name}:${hex}`);
});

test('the digest of nothing is the well-known one', () => {
  expect(digestBytes('sha256', new Uint8Array(0))).toBe(
    'sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
  );
});
