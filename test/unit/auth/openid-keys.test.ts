import { expect, test } from 'vitest';
import { keysUrlOf } from '../../../src/auth/openid-keys.ts';

test.each([
  ['https://id.example.org', 'https://id.example.org/keys', true],
  ['https://id.example.org', 'https://keys.example.net/', true],
  ['https://id.example.org', 'http://id.example.org/keys', false],
  ['https://id.example.org', 'file:///etc/keys', false],
  ['https://id.example.org', 'data:application/json,{}', false],
  ['https://id.example.org', '/keys', false],
  ['http://127.0.0.1:8080', 'http://127.0.0.1:8080/keys', true],
  ['http://127.0.0.1:8080', 'https://127.0.0.1:8080/keys', true],
  ['http://127.0.0.1:8080', 'ftp://127.0.0.1/keys', false],
])('an issuer %s may have its keys at %s: %s', (issuer, url, may) => {
  expect(keysUrlOf(issuer, url) !== undefined).toBe(may);
});
