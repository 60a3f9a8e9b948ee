import { describe, expect, test } from 'vitest';
import { namesOf, realmOf, scopesOf, uidOf } from '../../../src/auth/claims.ts';
import { InvalidCredential } from '../../../src/auth/identity.ts';

describe('a uid', () => {
  test.each([
    ['a text', 'jdoe', 'jdoe'],
    ['with spaces and letters of any script', 'José Ö. 山', 'José Ö. 山'],
    ['of CI', 'repo:acme/app:ref:refs/heads/main', 'repo:acme/app:ref:refs/heads/main'],
    ['a number', 4711, '4711'],
  ])('may be %s', (_, value, uid) => {
    expect(uidOf(value)).toBe(uid);
  });

  test.each([
    ['nothing', undefined],
    ['null', null],
    ['empty', ''],
    ['blank', '  '],
    ['a boolean', true],
    ['an object', { uid: 'jdoe' }],
    ['a list', ['jdoe']],
    ['a number that JSON has rounded', 2 ** 53],
    ['a fraction', 1.5],
    ['reserved', 'anonymous'],
    ['reserved, in disguise', ' Anonymous'],
    ['a text with NUL', 'jdoe\0'],
    ['a text with a line break', 'jdoe\nadmin'],
    ['reserved, with a character that shows nothing', 'anonymous\u200B'],
    ['written from right to left', 'jdoe\u202Enimda'],
    ['a text with a separator of lines', 'jdoe\u2028admin'],
    ['half a character', 'jdoe\uD800'],
    ['longer than can be kept', 'x'.repeat(513)],
  ])('is not %s', (_, value) => {
    const refused = () => uidOf(value);
    expect(refused).toThrow(InvalidCredential);
    expect(refused).toThrow(expect.objectContaining({ kind: 'forbidden' }));
  });
});

test('realms and teams lose the slashes around them, and no others', () => {
  expect(realmOf('/employees')).toBe('employees');
  expect(realmOf('services/')).toBe('services');
  expect(realmOf('//')).toBeUndefined();
  expect(realmOf(['employees'])).toBeUndefined();
  expect(namesOf(['/acme', 'shop', '/acme/platform/', '/', '', 7, null])).toEqual([
    'acme',
    'shop',
    'acme/platform',
  ]);
  expect(namesOf('acme')).toEqual(['acme']);
  expect(namesOf({ acme: true })).toEqual([]);
});

test('names that nothing could store or show are left out', () => {
  expect(namesOf(['acme', 'a\0b', 'a\nb', 'a\uD800', 'x'.repeat(257)])).toEqual(['acme']);
  expect(realmOf('employees\0')).toBeUndefined();
  expect(scopesOf('uid a\0b')).toEqual(['uid']);
});

test('scopes are a list, or words in a text', () => {
  expect(scopesOf('uid  application.write ')).toEqual(['uid', 'application.write']);
  expect(scopesOf(['uid', 'application.write', 1, ''])).toEqual(['uid', 'application.write']);
  expect(scopesOf(undefined)).toEqual([]);
});

test('however much a token names, a bounded part of it is kept', () => {
  const many = Array.from({ length: 5000 }, (_, index) => `team-${index}`);
  expect(namesOf(many)).toHaveLength(1000);
  expect(scopesOf(many.join(' '))).toHaveLength(1000);
  expect(namesOf(['/'.repeat(100_000)])).toEqual([]);
});
