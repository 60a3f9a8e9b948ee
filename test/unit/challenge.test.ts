import { expect, test } from 'vitest';
import { challengeOf, tokenRealm } from '../../src/http/challenge.ts';
import { parseRepositoryName, type RepositoryName } from '../../src/oci/repository-name.ts';

const BEARER = {
  kind: 'bearer',
  realmUrl: 'https://pierone.example.org/token',
  service: 'pierone.example.org',
} as const;
const START = 'Bearer realm="https://pierone.example.org/token",service="pierone.example.org"';

function repositoryName(text: string): RepositoryName {
  const name = parseRepositoryName(text);
  if (name === undefined) throw new Error(`${text} is no name`);
  return name;
}

const repository = repositoryName('acme/hello');

test('Basic is challenged in the words of the original, whatever is wanted', () => {
  const basic = 'Basic realm="Pier One Docker Registry"';
  expect(challengeOf({ kind: 'basic' })).toBe(basic);
  expect(challengeOf({ kind: 'basic' }, 'catalog', { error: 'invalid_token' })).toBe(basic);
});

// biome-ignore format: a table is read by its columns
test.each([
  ['any token',    undefined, ''],
  ['a pull',       { repository, actions: ['pull'] }, ',scope="repository:acme/hello:pull"'],
  ['a push',       { repository, actions: ['pull', 'push'] }, ',scope="repository:acme/hello:pull,push"'],
  ['the catalog',  'catalog', ',scope="registry:catalog:*"'],
] as const)('Bearer names the scope that is wanted: %s', (_, wanted, end) => {
  expect(challengeOf(BEARER, wanted)).toBe(START + end);
});

test('Bearer says what is wrong with the token that was given', () => {
  expect(challengeOf(BEARER, undefined, { error: 'invalid_token' })).toBe(
    `${START},error="invalid_token"`,
  );
  const description = 'push "hello"\r\nX-Evil: \\ ä';
  expect(challengeOf(BEARER, 'catalog', { error: 'insufficient_scope', description })).toBe(
    `${START},scope="registry:catalog:*",error="insufficient_scope",error_description="push 'hello'??X-Evil: ' ?"`,
  );
});

// biome-ignore format: a table is read by its columns
test.each([
  ['the configured host',             'https://a.example.org', 'http://b', 'https://a.example.org/token'],
  ['the configured one, none given',  'https://a.example.org', undefined, 'https://a.example.org/token'],
  ['the host of the request',         undefined, 'https://pierone.example.org', 'https://pierone.example.org/token'],
  ['its port',                        undefined, 'http://localhost:8080', 'http://localhost:8080/token'],
  ['its port, also the usual one',    undefined, 'https://a:443', 'https://a:443/token'],
  ['a name with its last dot',        undefined, 'http://a.example.org.', 'http://a.example.org./token'],
  ['an IPv4 address',                 undefined, 'http://127.0.0.1:5000', 'http://127.0.0.1:5000/token'],
  ['an IPv6 address',                 undefined, 'http://[::1]:5000', 'http://[::1]:5000/token'],
  ['none',                            undefined, undefined, undefined],
  ['a port that is none',             undefined, 'http://a:65536', undefined],
  ['a number that means an address',  undefined, 'http://2130706433', undefined],
  ['a short form of an address',      undefined, 'http://127.1', undefined],
  ['an address that is none',         undefined, 'http://1.2.3.256', undefined],
  ['an IPv6 address that is none',    undefined, 'http://[::1::2]', undefined],
  ['a user',                          undefined, 'http://a@b', undefined],
  ['a path',                          undefined, 'http://a/b', undefined],
  ['a quote',                         undefined, 'http://a"b', undefined],
  ['a line end',                      undefined, 'http://a\r\nX: y', undefined],
  ['empty labels',                    undefined, 'http://a..b', undefined],
  ['a dash in front',                 undefined, 'http://-a', undefined],
  ['another scheme',                  undefined, 'ftp://a', undefined],
])('the realm of %s', (_, external, client, realm) => {
  expect(tokenRealm(external, client)).toBe(realm);
});
