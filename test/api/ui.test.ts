import { gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { JsonValue } from '../support/json.ts';
import { openFixture, type RegistryFixture } from '../support/test-registry.ts';

/*
 * How the files of Swagger UI are served. What a browser makes of them: test/e2e/swagger-ui.test.ts.
 */

let fixture: RegistryFixture;

beforeAll(async () => {
  fixture = await openFixture();
});

afterAll(() => fixture?.close());

function send(method: string, path: string, headers: Readonly<Record<string, string>> = {}) {
  return fixture.registry.api.send(method, path, { headers });
}

const BUNDLE = '/ui/swagger-ui-bundle.js';

describe('shortcuts', () => {
  test.each(['/', '/ui'])('GET %s leads to /ui/', async (path) => {
    const { status, headers, body } = await send('GET', path);
    expect({ status, location: headers['location'], bytes: body.length }).toEqual({
      status: 302,
      location: '/ui/',
      bytes: 0,
    });
  });

  test('GET /.well-known/schema-discovery names a page that is there', async () => {
    const { body } = await send('GET', '/.well-known/schema-discovery');
    const page = JsonValue.parse(body.toString()).at('ui_url').text;
    expect(await send('GET', page)).toMatchObject({ status: 200 });
  });
});

describe('files', () => {
  test.each([
    ['/ui/', 'text/html; charset=utf-8', /<div id="swagger-ui">/],
    ['/ui/index.html', 'text/html; charset=utf-8', /<div id="swagger-ui">/],
    ['/ui/page.js', 'text/javascript; charset=utf-8', /SwaggerUIBundle\(/],
    ['/ui/page.css', 'text/css; charset=utf-8', /body/],
    [BUNDLE, 'text/javascript; charset=utf-8', /SwaggerUIBundle=/],
    ['/ui/swagger-ui-bundle.js.LICENSE.txt', 'text/plain; charset=utf-8', /license/i],
    ['/ui/swagger-ui.css', 'text/css; charset=utf-8', /\.swagger-ui/],
    ['/ui/favicon-32x32.png', 'image/png', /^.PNG/],
  ])('GET %s is %s, and HEAD the same without the body', async (path, type, content) => {
    const { status, headers, body } = await send('GET', path);
    expect(status).toBe(200);
    expect(body.toString('latin1')).toMatch(content);
    expect(headers).toMatchObject({
      'content-type': type,
      'content-length': String(body.length),
      'cache-control': 'no-cache',
      etag: expect.stringMatching(/^"sha256:[0-9a-f]{64}"$/),
      'x-content-type-options': 'nosniff',
      'referrer-policy': 'no-referrer',
      'content-security-policy': expect.stringMatching(
        /^default-src 'none'; script-src 'self'; style-src 'self'; /,
      ),
    });
    const { date: _, ...same } = headers;
    const head = await send('HEAD', path);
    expect(head).toMatchObject({ status: 200, headers: same });
    expect(head.body).toHaveLength(0);
  });

  test('no part of the page comes from elsewhere, or stands within it', async () => {
    const html = (await send('GET', '/ui/')).body.toString();
    const sources = [...html.matchAll(/<(?:script|link|img)\b[^>]*?(?:src|href)="([^"]*)"/g)];
    const names = sources.map(([, source = '']) => source);
    expect(names).toContain('swagger-ui-bundle.js');
    for (const name of names) {
      expect(await send('GET', `/ui/${name}`), name).toMatchObject({ status: 200 });
    }
    expect(html).not.toMatch(/<style|style=|<script(?![^>]*\bsrc=)|\son\w+=/);
  });

  test.each([
    '/ui/nothing.js',
    '/ui//',
    '/ui/LICENSE',
    '/ui/swagger-ui.css.gz',
    '/ui/../ui/page.js',
    '/ui/../../../main.js',
    '/ui/..%2f..%2f..%2fmain.js',
    '/ui/%2e%2e/%2e%2e/%2e%2e/main.js',
    '/ui/..%5cmain.js',
    '/ui/%00',
    '/ui/%',
    '/ui/constructor',
    '/ui/__proto__',
    '/uix',
  ])('GET %s is 404: nothing but the page can be read', async (path) => {
    const { status, headers, body } = await send('GET', path);
    expect({ status, type: headers['content-type'] }).toEqual({
      status: 404,
      type: 'application/json',
    });
    expect(JsonValue.parse(body.toString()).at('message').text).toMatch(/ not found\. /);
  });

  test.each(['/', '/ui', '/ui/', BUNDLE])('%s can only be read', async (path) => {
    for (const method of ['POST', 'PUT', 'DELETE']) {
      expect(await send(method, path)).toMatchObject({
        status: 405,
        headers: { allow: 'GET, HEAD, OPTIONS' },
      });
    }
  });
});

describe('clients that have a file already', () => {
  test.each([
    { headers: {}, note: 'as it is' },
    { headers: { 'Accept-Encoding': 'gzip' }, note: 'compressed' },
  ])('are answered by 304, without it, $note', async ({ headers }) => {
    const { etag = '' } = (await send('GET', BUNDLE, headers)).headers;
    const again = await send('GET', BUNDLE, { ...headers, 'If-None-Match': etag });
    expect(again).toMatchObject({ status: 304, headers: { etag, 'cache-control': 'no-cache' } });
    expect(again.body).toHaveLength(0);
    expect(await send('GET', BUNDLE, { ...headers, 'If-None-Match': '"other"' })).toMatchObject({
      status: 200,
    });
  });
});

describe('compression', () => {
  test.each(['gzip', 'deflate, gzip;q=0.5', 'GZIP', 'br, x-gzip'])(
    'is done for who accepts %s',
    async (accepted) => {
      const plain = await send('GET', BUNDLE);
      const packed = await send('GET', BUNDLE, { 'Accept-Encoding': accepted });
      expect(packed.headers).toMatchObject({
        'content-encoding': 'gzip',
        vary: 'Accept-Encoding',
        'content-length': String(packed.body.length),
      });
      expect(gunzipSync(packed.body).equals(plain.body)).toBe(true);
      expect(packed.headers['etag']).not.toBe(plain.headers['etag']);
    },
  );

  test.each(['', 'br', 'gzip;q=0', 'gzip; q=0.000', 'notgzip'])(
    'is not done for who accepts %j',
    async (accepted) => {
      const { headers } = await send('GET', BUNDLE, { 'Accept-Encoding': accepted });
      expect(headers['content-encoding']).toBeUndefined();
      expect(headers['vary']).toBe('Accept-Encoding');
    },
  );

  test('is not done for small files', async () => {
    const { headers } = await send('GET', '/ui/', { 'Accept-Encoding': 'gzip' });
    expect(headers['content-encoding']).toBeUndefined();
  });
});
