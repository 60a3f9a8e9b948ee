import { expect, test } from 'vitest';
import { proxyFor } from '../../src/cli/proxy-choice.ts';

const PROXY = 'http://proxy.example.org:3128/';
const DIRECT = undefined;

function choose(url: string, environment: Readonly<Record<string, string>>): string | undefined {
  return proxyFor(environment, new URL(url))?.href;
}

// biome-ignore format: a table is read by its columns
test.each([
  ['https://a.example.org',      { HTTPS_PROXY: PROXY }, PROXY],
  ['https://a.example.org',      { https_proxy: PROXY }, PROXY],
  ['https://a.example.org',      { HTTP_PROXY: PROXY },  DIRECT],
  ['http://a.example.org',       { HTTP_PROXY: PROXY },  PROXY],
  ['http://a.example.org',       { HTTP_PROXY: '' },     DIRECT],
])('%s with %j goes by %s', (url, environment, proxy) => {
  expect(choose(url, environment)).toBe(proxy);
});

// biome-ignore format: a table is read by its columns
test.each([
  ['https://a.example.org',      'a.example.org',          DIRECT],
  ['https://a.example.org',      'EXAMPLE.org',            DIRECT],
  ['https://a.example.org',      '.example.org',           DIRECT],
  ['https://a.example.org',      '*.example.org',          DIRECT],
  ['https://a.example.org',      'b.org, example.org',     DIRECT],
  ['https://a.example.org',      'b.org example.org',      DIRECT],
  ['https://a.example.org',      '*',                      DIRECT],
  ['https://a.example.org',      'a.example.org:443',      DIRECT],
  ['https://a.example.org:8443', 'a.example.org:8443',     DIRECT],
  ['https://127.0.0.1:8443',     '127.0.0.1',              DIRECT],
  ['https://a.example.org:8443', 'a.example.org:443',      PROXY],
  ['https://a.example.org',      'ample.org',              PROXY],
  ['https://a.example.org',      'b.example.org',          PROXY],
  ['https://a.example.org',      'a.example.org.evil.org', PROXY],
  ['https://a.example.org',      ',',                      PROXY],
  ['https://a.example.org',      '.',                      PROXY],
])('%s goes with NO_PROXY=%s by %s', (url, list, proxy) => {
  expect(choose(url, { HTTPS_PROXY: PROXY, NO_PROXY: list })).toBe(proxy);
});

test('a proxy that is no URL is an error that names the variable', () => {
  expect(() => choose('http://a', { HTTP_PROXY: 'proxy' })).toThrow(/^HTTP_PROXY must be a URL/);
});
