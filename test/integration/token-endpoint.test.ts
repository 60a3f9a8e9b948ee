import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { RegistryTokens } from '../../src/auth/registry-token.ts';
import { ConfiguredTokenKeys } from '../../src/auth/token-keys.ts';
import { sendError } from '../../src/http/error-response.ts';
import type { Transport } from '../../src/http/exchange.ts';
import { handleToken } from '../../src/http/handlers/token.ts';
import { listenNode } from '../../src/http/node-transport.ts';
import { listenUws } from '../../src/http/uws-transport.ts';
import { createLog } from '../../src/log.ts';
import { HttpClient } from '../support/http-client.ts';
import { JsonValue } from '../support/json.ts';
import { ListedAccess } from '../support/token-access.ts';
import { OPTIONS } from '../support/transport-harness.ts';

/*
 * /token as clients use it. Requests are written as docker, podman, skopeo, crane (GET) and containerd (POST) send
 * them.
 */

const BASIC = 'Basic realm="Pier One Docker Registry"';
const DOCUMENT = `-----BEGIN PKCS7-----\n${'MIIabc+/=\n'.repeat(20)}-----END PKCS7-----\n`;
const HELLO = 'repository:acme/hello:pull,push';
const OTHER = 'repository:other/hello:pull,push';

let access: ListedAccess;

let tokens: RegistryTokens;
let transport: Transport;
let client: HttpClient;

describe.each([
  ['uws', listenUws],
  ['node', listenNode],
] as const)('over %s', (_, listen) => {
  beforeEach(async () => {
    access = new ListedAccess();
    access.add('alices-token', 'alice', ['acme']);
    access.addInstance(DOCUMENT, 'i-1234');
    const keys = new ConfiguredTokenKeys(['a secret of thirty-two characters']);
    tokens = new RegistryTokens({ keys, registryId: 'r', service: 'pierone.example.org' });
    const { proxies } = OPTIONS;
    const log = createLog('silent');
    transport = await listen(OPTIONS, (exchange) =>
      handleToken(exchange, { access: access.open(tokens), tokens, proxies }).catch(
        (error: unknown) => void sendError(exchange, error, 'id', proxies, log),
      ),
    );
    client = new HttpClient(`http://127.0.0.1:${transport.port}`);
  });

  afterEach(async () => {
    transport.stopAccepting();
    transport.close();
    await transport.idle();
  });

  const basic = (user: string, password: string) => ({
    Authorization: `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`,
  });
  const ALICE = basic('oauth2', 'alices-token');

  function get(scopes: readonly string[], headers: Record<string, string> = {}, more = {}) {
    const query = new URLSearchParams([
      ['service', 'pierone.example.org'],
      ...scopes.map((scope): [string, string] => ['scope', scope]),
      ...Object.entries<string>(more),
    ]);
    return client.send('GET', `/token?${query.toString()}`, { headers });
  }

  function post(form: Readonly<Record<string, string>>) {
    const headers = { 'Content-Type': 'application/x-www-form-urlencoded; charset=utf-8' };
    return client.send('POST', '/token', { headers, body: new URLSearchParams(form).toString() });
  }

  /** Of an answer with status 200. */
  async function contentOf(answer: Awaited<ReturnType<typeof get>>) {
    expect([answer.status, answer.body.toString()]).toEqual([200, expect.any(String)]);
    return tokens.verify(JsonValue.parse(answer.body.toString()).at('token').text);
  }

  function errorOf({ status, body, headers }: Awaited<ReturnType<typeof get>>) {
    const error = JsonValue.parse(body.toString()).at('errors', 0);
    return {
      status,
      code: error.at('code').text,
      message: error.at('message').text,
      challenge: headers['www-authenticate'],
    };
  }

  describe('GET', () => {
    test('answers in the form that all clients read, and that nobody keeps', async () => {
      const { status, headers, body } = await get([HELLO], ALICE);
      const { token, ...rest } = JSON.parse(body.toString());
      expect(status).toBe(200);
      expect(headers['content-type']).toBe('application/json');
      expect(headers['cache-control']).toBe('no-store');
      expect(rest).toEqual({
        access_token: token,
        expires_in: 300,
        issued_at: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.000Z$/),
      });
    });

    test('a push of docker gets what the team may do', async () => {
      const more = { account: 'oauth2', client_id: 'docker' };
      const {
        principal,
        access: granted,
        refused,
      } = await contentOf(await get([HELLO, 'repository:base/image:pull'], ALICE, more));
      expect(principal).toEqual({ uid: 'alice', realm: 'employees' });
      expect(granted).toEqual(
        new Map([
          ['acme/hello', new Set(['pull', 'push'])],
          ['base/image', new Set(['pull'])],
        ]),
      );
      expect(refused.size).toBe(0);
    });

    test('a push that is not allowed gets a token that says why', async () => {
      const { access: granted, refused } = await contentOf(await get([OTHER], ALICE));
      expect(granted).toEqual(new Map([['other/hello', new Set(['pull'])]]));
      expect(refused).toEqual(
        new Map([['other/hello push', expect.stringContaining('not in the team other')]]),
      );
    });

    test('scopes may stand in one parameter', async () => {
      const { access: granted, mayReadCatalog } = await contentOf(
        await get([`${HELLO} ${OTHER} registry:catalog:*`], ALICE),
      );
      expect([...granted.keys()]).toEqual(['acme/hello', 'other/hello']);
      expect(mayReadCatalog).toBe(true);
    });

    test('docker login gets a token that allows nothing', async () => {
      const more = { account: 'oauth2', offline_token: 'true', client_id: 'docker' };
      const answer = await get([], ALICE, more);
      const content = await contentOf(answer);
      expect([content.access.size, content.mayReadCatalog]).toEqual([0, false]);
      expect(answer.body.toString()).not.toContain('refresh_token');
    });

    test('names that no repository has are not granted, and are no error', async () => {
      const { access: granted } = await contentOf(await get(['repository:hello:pull'], ALICE));
      expect(granted.size).toBe(0);
    });

    test('a Bearer token of the identity provider does as well', async () => {
      const { principal } = await contentOf(
        await get([HELLO], { Authorization: 'Bearer alices-token' }),
      );
      expect(principal.uid).toBe('alice');
    });

    test('a machine stays one', async () => {
      const headers = basic('instance-identity-document', DOCUMENT);
      const { kind, access: granted } = await contentOf(await get([HELLO], headers));
      expect([kind, granted]).toEqual(['instance', new Map([['acme/hello', new Set(['pull'])]])]);
    });

    test('a registry token gets no further one', async () => {
      const { body } = await get([HELLO], ALICE);
      const { token } = JSON.parse(body.toString());
      const headers = { Authorization: `Bearer ${token}` };
      for (const answer of [await get([HELLO], headers), await get([], basic('oauth2', token))]) {
        expect(errorOf(answer)).toMatchObject({ status: 401, challenge: BASIC });
      }
    });
  });

  describe('without credential', () => {
    test('a pull gets a token where everyone may read', async () => {
      access.settings.allowsPublicRead = true;
      const { kind, access: granted, refused } = await contentOf(await get([HELLO]));
      expect([kind, granted]).toEqual(['anonymous', new Map([['acme/hello', new Set(['pull'])]])]);
      expect([...refused.keys()]).toEqual(['acme/hello push']);
    });

    test('a login is refused, also where everyone may read', async () => {
      access.settings.allowsPublicRead = true;
      expect(errorOf(await get([]))).toMatchObject({
        status: 401,
        code: 'UNAUTHORIZED',
        message: expect.stringContaining('docker login -u oauth2'),
        challenge: BASIC,
      });
    });

    test('everything is refused where nobody may read', async () => {
      expect(errorOf(await get([HELLO]))).toMatchObject({ status: 401, challenge: BASIC });
    });
  });

  // biome-ignore format: a table is read by its columns
  test.each([
    ['an unknown token',        basic('oauth2', 'x'), 401, 'UNAUTHORIZED', 'the token is expired or unknown', BASIC],
    ['an unknown user',         basic('alice', 'x'), 401, 'UNAUTHORIZED', expect.stringContaining('user name'), BASIC],
    ['an unknown scheme',       { Authorization: 'Digest x' }, 401, 'UNAUTHORIZED', expect.any(String), BASIC],
    ['a bearer without name',   basic('oauth2', 'nameless'), 403, 'DENIED', 'the token has no uid', undefined],
  ])('%s is refused, also where everyone may read', async (_name, headers, status, code, message, challenge) => {
    access.settings.allowsPublicRead = true;
    const answer = await get([HELLO], headers);
    expect(errorOf(answer)).toEqual({ status, code, message, challenge });
    expect(answer.headers['cache-control']).toBe('no-store');
  });

  test('a dependency that is down is 503, and names no credential', async () => {
    access.isDown = true;
    const answer = await get([HELLO], ALICE);
    expect(errorOf(answer)).toMatchObject({ status: 503, code: 'UNAVAILABLE' });
    expect(answer.headers['retry-after']).toBe('5');
    expect(answer.body.toString()).not.toContain('alices-token');
  });

  describe('POST', () => {
    const FORM = {
      grant_type: 'password',
      service: 'pierone.example.org',
      client_id: 'containerd-client',
      username: 'oauth2',
      password: 'alices-token',
    };

    test('gives containerd the same token, scopes in one field', async () => {
      const answer = await post({ ...FORM, scope: `${HELLO} ${OTHER}`, access_type: 'offline' });
      const { principal, access: granted } = await contentOf(answer);
      expect(principal.uid).toBe('alice');
      expect([...granted.keys()]).toEqual(['acme/hello', 'other/hello']);
      expect(JSON.parse(answer.body.toString())).toMatchObject({
        access_token: expect.any(String),
        expires_in: 300,
      });
      expect(answer.headers['cache-control']).toBe('no-store');
    });

    test('takes a machine by its document, newlines included', async () => {
      const form = { ...FORM, username: 'instance-identity-document', password: DOCUMENT };
      expect((await contentOf(await post({ ...form, scope: HELLO }))).kind).toBe('instance');
    });

    test('refuses a wrong password as GET does', async () => {
      expect(errorOf(await post({ ...FORM, password: 'x' }))).toMatchObject({
        status: 401,
        challenge: BASIC,
      });
    });

    test('refuses a refresh token with the one status after which each client tries GET', async () => {
      const answer = await post({ grant_type: 'refresh_token', refresh_token: 'alices-token' });
      expect(answer.status).toBe(404);
      expect(JSON.parse(answer.body.toString())).toMatchObject({
        error: 'unsupported_grant_type',
        error_description: expect.stringContaining('no refresh tokens'),
        errors: [{ code: 'UNSUPPORTED' }],
      });
      expect(answer.body.toString()).not.toContain('alices-token');
    });

    test.each([
      ['no field', {}],
      ['no grant type', { username: 'oauth2', password: 'alices-token' }],
      ['no user', { grant_type: 'password', password: 'alices-token' }],
      ['no password', { grant_type: 'password', username: 'oauth2' }],
    ])('refuses a form with %s', async (_name, form) => {
      const answer = await post(form);
      expect(answer.status).toBe(400);
      expect(JSON.parse(answer.body.toString())).toMatchObject({ error: 'invalid_request' });
    });

    test('takes a form of 64 KiB at most', async () => {
      const rest = new URLSearchParams({ ...FORM, pad: '' }).toString().length;
      const fits = await post({ ...FORM, pad: 'x'.repeat(64 * 1024 - rest) });
      expect(fits.status).toBe(200);
      const answer = await post({ ...FORM, pad: 'x'.repeat(64 * 1024 - rest + 1) });
      expect([answer.status, JSON.parse(answer.body.toString()).error]).toEqual([
        413,
        'invalid_request',
      ]);
    });
  });

  test.each(['HEAD', 'PUT', 'DELETE', 'PATCH'])('%s is no way to get a token', async (method) => {
    const { status, headers } = await client.send(method, '/token', { headers: ALICE });
    expect([status, headers['allow']]).toEqual([405, 'GET, POST']);
  });
});
