import { describe, expect, test } from 'vitest';
import { Proxies } from '../../src/http/proxies.ts';

const PROXIES = new Proxies([
  { address: '10.0.0.0', bits: 8, family: 'ipv4' },
  { address: '2001:db8::', bits: 32, family: 'ipv6' },
]);

function request(remoteAddress: string, headers: Readonly<Record<string, string>> = {}) {
  return { remoteAddress, header: (name: string) => headers[name] };
}

// biome-ignore format: a table is read by its columns
describe('the address of the client', () => {
  test.each([
    ['without proxy',                  '192.0.2.1', {}, '192.0.2.1'],
    ['a stranger is not believed',     '192.0.2.1', { 'x-forwarded-for': '198.51.100.7' }, '192.0.2.1'],
    ['nor with Forwarded',             '192.0.2.1', { forwarded: 'for=198.51.100.7' }, '192.0.2.1'],
    ['a trusted proxy is',             '10.1.2.3', { 'x-forwarded-for': '198.51.100.7' }, '198.51.100.7'],
    ['the nearest entry counts',       '10.1.2.3', { 'x-forwarded-for': '203.0.113.9, 198.51.100.7' }, '198.51.100.7'],
    ['trusted entries are passed by',  '10.1.2.3', { 'x-forwarded-for': '203.0.113.9, 198.51.100.7, 10.9.9.9' }, '198.51.100.7'],
    ['all trusted: the first',         '10.1.2.3', { 'x-forwarded-for': '10.7.7.7, 10.9.9.9' }, '10.7.7.7'],
    ['with a port',                    '10.1.2.3', { 'x-forwarded-for': '198.51.100.7:4711' }, '198.51.100.7'],
    ['IPv6',                           '2001:db8::5', { 'x-forwarded-for': '2001:4860::1' }, '2001:4860::1'],
    ['IPv6 in brackets, with a port',  '10.1.2.3', { forwarded: 'for="[2001:4860::1]:80"' }, '2001:4860::1'],
    ['Forwarded',                      '10.1.2.3', { forwarded: 'For=203.0.113.9;proto=http, for=198.51.100.7; proto=https' }, '198.51.100.7'],
    ['an obfuscated name: the proxy',  '10.1.2.3', { forwarded: 'for=_hidden' }, '10.1.2.3'],
    ['garbage: the proxy',             '10.1.2.3', { 'x-forwarded-for': 'evil\'; drop table' }, '10.1.2.3'],
    ['both kinds: the proxy',          '10.1.2.3', { 'x-forwarded-for': '198.51.100.7', forwarded: 'for=203.0.113.9' }, '10.1.2.3'],
    ['an empty list: the proxy',       '10.1.2.3', { 'x-forwarded-for': ' , ' }, '10.1.2.3'],
    ['IPv4 written as IPv6',           '::ffff:10.1.2.3', { 'x-forwarded-for': '198.51.100.7' }, '198.51.100.7'],
  ])('%s', (_, remoteAddress, headers, address) => {
    expect(PROXIES.clientOf(request(remoteAddress, headers)).address).toBe(address);
  });
});

// biome-ignore format: a table is read by its columns
describe('the origin that the client uses', () => {
  test.each([
    ['its Host header',               '192.0.2.1', { host: 'Pierone.Example.org:8080' }, 'http://pierone.example.org:8080'],
    ['a stranger is not believed',    '192.0.2.1', { host: 'a', 'x-forwarded-proto': 'https', 'x-forwarded-host': 'evil' }, 'http://a'],
    ['X-Forwarded-Proto',             '10.1.2.3', { host: 'a', 'x-forwarded-proto': 'https' }, 'https://a'],
    ['X-Forwarded-Host',              '10.1.2.3', { host: 'a', 'x-forwarded-host': 'b:8443', 'x-forwarded-for': '198.51.100.7' }, 'http://b:8443'],
    ['Forwarded',                     '10.1.2.3', { host: 'a', forwarded: 'proto=https;host="b:8443"' }, 'https://b:8443'],
    ['no host at all',                '192.0.2.1', {}, undefined],
    ['a host that is none',           '192.0.2.1', { host: 'a/b@c' }, undefined],
    ['a scheme that is none',         '10.1.2.3', { host: 'a', 'x-forwarded-proto': 'javascript' }, undefined],
    ['an IPv6 address',               '192.0.2.1', { host: '[::1]:8080' }, 'http://[::1]:8080'],
  ])('%s', (_, remoteAddress, headers, origin) => {
    expect(PROXIES.clientOf(request(remoteAddress, headers)).origin).toBe(origin);
  });

  test('is https where the registry speaks that itself', () => {
    const client = new Proxies([], 'https').clientOf(request('192.0.2.1', { host: 'a' }));
    expect(client.origin).toBe('https://a');
  });
});

test.each([
  ['192.0.2.1', {}, false],
  ['10.1.2.3', {}, true],
  ['192.0.2.1', { 'x-forwarded-for': '' }, true],
  ['192.0.2.1', { forwarded: 'for=a' }, true],
  ['192.0.2.1', { via: '1.1 varnish' }, true],
])('a request from %s with %o came through a proxy: %s', (remoteAddress, headers, isProxied) => {
  expect(PROXIES.isProxied(request(remoteAddress, headers))).toBe(isProxied);
});
