import { expect, test } from 'vitest';
import { readCredential } from '../../../src/auth/credential.ts';

const basicOf = (text: string) => `Basic ${Buffer.from(text).toString('base64')}`;

test.each([
  ['Bearer', 'Bearer abc', 'abc'],
  ['Bearer in lower case, with spaces', ' bearer  abc ', 'abc'],
  ['Token', 'Token abc', 'abc'],
  ['Basic', basicOf('oauth2:abc'), 'abc'],
  ['Basic with a colon in the token', basicOf('oauth2:a:b'), 'a:b'],
])('a token is read from %s', (_, header, token) => {
  expect(readCredential(header)).toEqual({ kind: 'token', token });
});

test('an instance identity document keeps its newlines', () => {
  expect(readCredential(basicOf('instance-identity-document:MII\nabc=\n'))).toEqual({
    kind: 'instance',
    document: 'MII\nabc=\n',
  });
});

test.each([
  ['Basic twice', `${basicOf('oauth2:alice')}, ${basicOf('oauth2:mallory')}`],
  ['Basic and Bearer', `${basicOf('oauth2:a')}, Bearer b`],
  ['Bearer twice', 'Bearer a, Bearer b'],
  ['another scheme', 'Digest username="a"'],
  ['no value', 'Bearer'],
  ['another user', basicOf('alice:secret')],
  ['no colon', basicOf('oauth2')],
  ['a token with a space', basicOf('oauth2:a b')],
  ['spaces alone', '   '],
])('neither counts, nor is it taken as anonymous: %s', (_, header) => {
  expect(readCredential(header).kind).toBe('unusable');
});
