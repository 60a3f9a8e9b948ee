import { createRemoteJWKSet, jwtVerify } from 'jose';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { HttpClient, type HttpOptions } from '../support/http-client.ts';
import { type IdentityProvider, startIdentityProvider } from '../support/identity-provider.ts';
import { PROVIDER_FAULTS } from '../support/identity-provider-faults.ts';
import { JsonValue } from '../support/json.ts';
import { waitUntil } from '../support/wait-until.ts';

let provider: IdentityProvider;

beforeEach(async () => {
  provider = await startIdentityProvider();
  provider.addEmployee({ uid: 'jdoe', teams: ['acme', 'shop'], password: 'horse & battery' });
  provider.addService({
    uid: 'stups_robot',
    team: 'acme',
    scopes: ['uid', 'application.write'],
    secret: 'a+b:c d',
  });
});

afterEach(() => provider.close());

async function ask(method: string, target: string, options: HttpOptions = {}) {
  const answer = await new HttpClient(provider.issuer).send(method, target, options);
  return { ...answer, json: parse(answer.body.toString()) };
}

function parse(text: string): unknown {
  return JSON.parse(text);
}

function basic(id: string, secret: string) {
  const text = [id, secret].map((part) => encodeURIComponent(part)).join(':');
  return { authorization: `Basic ${Buffer.from(text).toString('base64')}` };
}

function form(authorization: object, fields: Readonly<Record<string, string>>): HttpOptions {
  const headers = { 'content-type': 'application/x-www-form-urlencoded', ...authorization };
  return { headers, body: new URLSearchParams(fields).toString() };
}

const tokeninfo = (token: string, options: HttpOptions = {}) =>
  ask('GET', `/oauth2/tokeninfo?access_token=${encodeURIComponent(token)}`, options);
const introspect = (token: string) => {
  const { id, secret } = provider.client;
  return ask('POST', '/oauth2/introspect', form(basic(id, secret), { token }));
};

describe('tokeninfo and introspection', () => {
  test('describe an employee and a service', async () => {
    const [ofEmployee, ofService] = [
      provider.issueToken('jdoe'),
      provider.issueToken('stups_robot'),
    ];
    expect((await tokeninfo(ofEmployee)).json).toMatchObject({
      uid: 'jdoe',
      realm: '/employees',
      scope: ['uid'],
      access_token: ofEmployee,
      token_type: 'Bearer',
    });
    expect((await tokeninfo(ofService)).json).toMatchObject({
      uid: 'stups_robot',
      realm: '/services',
      scope: ['uid', 'application.write'],
    });
    expect((await introspect(ofService)).json).toMatchObject({
      active: true,
      sub: 'stups_robot',
      scope: 'uid application.write',
      iss: provider.issuer,
      aud: 'pierone',
    });
  });

  test('know nothing of expired, revoked and invented tokens', async () => {
    const revoked = provider.issueToken('jdoe');
    provider.revoke(revoked);
    const expired = provider.issueToken('jdoe', { lifetimeSeconds: 0 });
    for (const token of [revoked, expired, 'invented', '']) {
      const { status, json } = await tokeninfo(token);
      expect({ status, json }).toMatchObject({ status: 400, json: { error: 'invalid_request' } });
      expect((await introspect(token)).json).toEqual({ active: false });
    }
  });

  test('say what a token is given to say', async () => {
    const token = provider.issueToken('jdoe', { claims: { uid: undefined, realm: 'employees' } });
    const { json } = await tokeninfo(token);
    expect(json).not.toHaveProperty('uid');
    expect(json).toHaveProperty('realm', 'employees');
  });

  test('introspection is for clients alone', async () => {
    const token = provider.issueToken('jdoe');
    const options = form(basic('pierone', 'wrong'), { token });
    expect((await ask('POST', '/oauth2/introspect', options)).status).toBe(401);
  });
});

describe('teams and applications', () => {
  test('are told to who has a token, be it opaque or a JWT', async () => {
    for (const token of [provider.issueToken('jdoe'), await provider.mintJwt({ sub: 'jdoe' })]) {
      const headers = { authorization: `Bearer ${token}` };
      const teams = await ask('GET', '/api/accounts/aws?member=jdoe', { headers });
      const names = JsonValue.parse(teams.body.toString()).items.map(
        (team) => team.at('name').text,
      );
      expect(names).toEqual(['acme', 'shop']);
      const nobody = await ask('GET', '/api/accounts/aws?member=nobody', { headers });
      expect(nobody.json).toEqual([]);
      const application = await ask('GET', '/apps/robot', { headers });
      expect(application.json).toMatchObject({ id: 'robot', team_id: 'acme', active: true });
      expect((await ask('GET', '/apps/other', { headers })).status).toBe(404);
    }
  });

  test.each(['/api/accounts/aws?member=jdoe', '/apps/robot'])(
    '%s needs a token',
    async (target) => {
      const foreign = await provider.mintJwt({ sub: 'jdoe' }, { key: 'foreign' });
      for (const headers of [{}, { authorization: `Bearer ${foreign}` }]) {
        expect((await ask('GET', target, { headers })).status).toBe(401);
      }
    },
  );
});

test('a known machine is told from a forged one, and from one whose lines were joined', async () => {
  const known = provider.addInstance();
  const verify = async (pkcs7: string) => {
    const headers = { 'content-type': 'application/json' };
    const body = JSON.stringify({ iid_signature: pkcs7 });
    return (await ask('POST', '/iidinfo', { headers, body })).status;
  };
  expect(known.split('\n').length).toBeGreaterThan(5);
  expect(await verify(known)).toBe(200);
  expect(await verify(known.replaceAll('\n', ''))).toBe(403);
  expect(await verify(provider.forgeInstance())).toBe(403);
});

describe('JWTs', () => {
  async function verify(jwt: string) {
    const { json } = await ask('GET', '/.well-known/openid-configuration');
    const keys = createRemoteJWKSet(new URL(new JsonValue(json).at('jwks_uri').text));
    const { issuer, audience } = provider;
    const algorithms = ['RS256', 'ES256'];
    return jwtVerify(jwt, keys, { issuer, audience, algorithms });
  }

  test.each(['RS256', 'ES256'] as const)('are signed by a published key for %s', async (alg) => {
    const jwt = await provider.mintJwt({ sub: 'jdoe', groups: ['acme'] }, { alg });
    const { payload, protectedHeader } = await verify(jwt);
    expect(payload).toMatchObject({ sub: 'jdoe', groups: ['acme'] });
    expect(protectedHeader).toMatchObject({ alg, kid: provider.kid(alg) });
  });

  test.each([
    ['unsigned', { alg: 'none' }, {}],
    ['signed with the public key as a secret', { alg: 'HS256' }, {}],
    ['signed by another key', { key: 'foreign' }, {}],
    ['with an unknown kid', { kid: 'unknown' }, {}],
    ['expired', {}, { exp: 1 }],
    ['for another audience', {}, { aud: 'other' }],
    ['of another issuer', {}, { iss: 'https://issuer.example' }],
  ] as const)('%s are none', async (_, options, claims) => {
    const jwt = await provider.mintJwt({ sub: 'jdoe', ...claims }, options);
    await expect(verify(jwt)).rejects.toThrow();
  });

  test('of a rotated key are valid as long as it is published', async () => {
    const before = await provider.mintJwt({ sub: 'jdoe' });
    await provider.rotateKeys({ keepOld: true });
    await verify(before);
    await verify(await provider.mintJwt({ sub: 'jdoe' }));
    await provider.rotateKeys();
    await expect(verify(before)).rejects.toThrow();
    await verify(await provider.mintJwt({ sub: 'jdoe' }));
  });
});

describe('tokens are granted', () => {
  test('to a service for its secret, with a part of its scopes', async () => {
    const options = form(basic('stups_robot', 'a+b:c d'), {
      grant_type: 'client_credentials',
      scope: 'application.write',
    });
    const { body } = await ask('POST', '/oauth2/token', options);
    const token = JsonValue.parse(body.toString()).at('access_token').text;
    expect((await tokeninfo(token)).json).toMatchObject({
      uid: 'stups_robot',
      scope: ['application.write'],
    });
  });

  test('to a person for a password', async () => {
    const { id, secret } = provider.client;
    const fields = { grant_type: 'password', username: 'jdoe', password: 'horse & battery' };
    const options = form(basic(id, secret), fields);
    expect((await ask('POST', '/oauth2/token', options)).json).toMatchObject({ scope: 'uid' });
  });

  test.each([
    ['a wrong secret', 'stups_robot', { grant_type: 'client_credentials' }, 401, 'invalid_client'],
    [
      'a wrong password',
      'pierone',
      { grant_type: 'password', username: 'jdoe' },
      400,
      'invalid_grant',
    ],
    [
      'another grant',
      'pierone',
      { grant_type: 'authorization_code' },
      400,
      'unsupported_grant_type',
    ],
  ])('not for %s', async (_, id, fields, status, error) => {
    const options = form(basic(id, 'pierone-secret'), fields);
    expect(await ask('POST', '/oauth2/token', options)).toMatchObject({ status, json: { error } });
  });
});

describe('trouble', () => {
  test.each(Object.entries(PROVIDER_FAULTS))(
    '%s, and says nothing of a token',
    async (_, fault) => {
      const token = provider.issueToken('jdoe');
      const planned = provider.plan('tokeninfo', fault);
      const gaveUp = new AbortController();
      const options = { headers: {}, signal: gaveUp.signal };
      const asked = tokeninfoBy(token, options).catch(() => 'no answer');
      await waitUntil('the request', () => planned.count() === 1);
      if (['hang', 'endless', 'drip'].includes(fault.kind)) gaveUp.abort();
      expect(await asked).not.toHaveProperty('uid');
      planned.end();
      expect((await tokeninfo(token)).json).toHaveProperty('uid', 'jdoe');
      expect(provider.count('tokeninfo')).toBe(2);
    },
  );

  async function tokeninfoBy(token: string, options: HttpOptions): Promise<object> {
    const { status, json } = await tokeninfo(token, options);
    return status === 200 && typeof json === 'object' && json !== null ? json : {};
  }

  test('ends by itself after so many times, and is of one endpoint alone', async () => {
    provider.plan('tokeninfo', { kind: 'answer', status: 500, body: 'null' }, 1);
    const token = provider.issueToken('jdoe');
    expect((await introspect(token)).status).toBe(200);
    expect((await tokeninfo(token)).status).toBe(500);
    expect((await tokeninfo(token)).status).toBe(200);
  });

  test('may be that it refuses connections, until it is back with all that it knew', async () => {
    const token = provider.issueToken('jdoe');
    await provider.vanish();
    await expect(tokeninfo(token)).rejects.toThrow('ECONNREFUSED');
    await provider.comeBack();
    expect((await tokeninfo(token)).status).toBe(200);
    expect(provider.count()).toBe(1);
  });
});
