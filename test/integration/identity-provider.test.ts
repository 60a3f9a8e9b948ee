import { createRemoteJWKSet, jwtVerify } from 'jose';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type IdentityProvider, startIdentityProvider } from '../support/identity-provider.ts';
import {
  githubActionsClaims,
  gitlabClaims,
  keycloakClaims,
  kubernetesClaims,
} from '../support/identity-provider-claims.ts';
import { ProviderClient } from '../support/identity-provider-client.ts';
import { JsonValue } from '../support/json.ts';

let provider: IdentityProvider;
let client: ProviderClient;

beforeEach(async () => {
  provider = await startIdentityProvider();
  client = new ProviderClient(provider);
  provider.addEmployee({ uid: 'jdoe', teams: ['acme', 'shop'], password: 'horse & battery' });
  provider.addService({
    uid: 'stups_robot',
    team: 'acme',
    scopes: ['uid', 'application.write'],
    secret: 'a+b:c d',
  });
});

afterEach(() => provider.close());

describe('tokeninfo and introspection', () => {
  test('describe an employee and a service', async () => {
    const [ofEmployee, ofService] = [
      provider.issueToken('jdoe'),
      provider.issueToken('stups_robot'),
    ];
    expect((await client.tokeninfo(ofEmployee)).json).toMatchObject({
      uid: 'jdoe',
      realm: '/employees',
      scope: ['uid'],
      access_token: ofEmployee,
      token_type: 'Bearer',
    });
    expect((await client.tokeninfo(ofService)).json).toMatchObject({
      uid: 'stups_robot',
      realm: '/services',
      scope: ['uid', 'application.write'],
    });
    expect((await client.introspect(ofService)).json).toMatchObject({
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
      const { status, json } = await client.tokeninfo(token);
      expect({ status, json }).toMatchObject({ status: 400, json: { error: 'invalid_request' } });
      expect((await client.introspect(token)).json).toEqual({ active: false });
    }
  });

  test('say what a token is given to say', async () => {
    const token = provider.issueToken('jdoe', { claims: { uid: undefined, realm: 'employees' } });
    const { json } = await client.tokeninfo(token);
    expect(json).not.toHaveProperty('uid');
    expect(json).toHaveProperty('realm', 'employees');
  });

  test('take tokens of a form for those of a person', async () => {
    provider.recognise(/^crowd-\d+$/, 'jdoe');
    expect((await client.tokeninfo('crowd-17')).json).toHaveProperty('uid', 'jdoe');
    expect((await client.tokeninfo('crowd-x')).status).toBe(400);
  });

  test('introspection is for clients alone', async () => {
    const token = provider.issueToken('jdoe');
    const { status } = await client.post('/oauth2/introspect', 'pierone', 'wrong', { token });
    expect(status).toBe(401);
  });
});

describe('teams and applications', () => {
  test('are told to who has a token, be it opaque or a JWT', async () => {
    for (const token of [provider.issueToken('jdoe'), await provider.mintJwt({ sub: 'jdoe' })]) {
      const headers = { authorization: `Bearer ${token}` };
      const teams = await client.ask('GET', '/api/accounts/aws?member=jdoe', { headers });
      const names = JsonValue.parse(teams.body.toString()).items.map(
        (team) => team.at('name').text,
      );
      expect(names).toEqual(['acme', 'shop']);
      const nobody = await client.ask('GET', '/api/accounts/aws?member=nobody', { headers });
      expect(nobody.json).toEqual([]);
      const application = await client.ask('GET', '/apps/robot', { headers });
      expect(application.json).toMatchObject({ id: 'robot', team_id: 'acme', active: true });
      expect((await client.ask('GET', '/apps/other', { headers })).status).toBe(404);
    }
  });

  test.each(['/api/accounts/aws?member=jdoe', '/apps/robot'])(
    '%s needs a token',
    async (target) => {
      const foreign = await provider.mintJwt({ sub: 'jdoe' }, { key: 'foreign' });
      for (const headers of [{}, { authorization: `Bearer ${foreign}` }]) {
        expect((await client.ask('GET', target, { headers })).status).toBe(401);
      }
    },
  );
});

test('a known machine is told from a forged one, and from one whose lines were joined', async () => {
  const known = provider.addInstance();
  const verify = async (pkcs7: string) => {
    const headers = { 'content-type': 'application/json' };
    const body = JSON.stringify({ iid_signature: pkcs7 });
    return (await client.ask('POST', '/iidinfo', { headers, body })).status;
  };
  expect(known.split('\n').length).toBeGreaterThan(5);
  expect(await verify(known)).toBe(200);
  expect(await verify(known.replaceAll('\n', ''))).toBe(403);
  expect(await verify(provider.forgeInstance())).toBe(403);
});

describe('JWTs', () => {
  async function verify(jwt: string) {
    const { json } = await client.ask('GET', '/.well-known/openid-configuration');
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

  test.each([
    ['GitHub Actions', githubActionsClaims('acme/shop'), { repository_owner: 'acme' }],
    ['GitLab', gitlabClaims('acme/web/shop'), { namespace_path: 'acme/web' }],
    ['Kubernetes', kubernetesClaims('acme', 'ci'), { sub: 'system:serviceaccount:acme:ci' }],
    ['Keycloak', keycloakClaims('jdoe', ['acme']), { groups: ['/acme'] }],
  ])('say what those of %s do', async (_, claims, said) => {
    const { payload } = await verify(await provider.mintJwt(claims));
    expect(payload).toMatchObject(said);
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

test('requests are counted by endpoint, and the last ones are kept', async () => {
  await client.tokeninfo('first');
  await client.introspect('second');
  await client.tokeninfo('third');
  expect([provider.count('tokeninfo'), provider.count()]).toEqual([2, 3]);
  const [, last] = provider.requests('tokeninfo');
  expect(last?.target).toBe('/oauth2/tokeninfo?access_token=third');
  provider.clear();
  expect([provider.count('tokeninfo'), provider.requests()]).toEqual([0, []]);
});

describe('tokens are granted', () => {
  test('to a service for its secret, with a part of its scopes', async () => {
    const { json } = await client.post('/oauth2/token', 'stups_robot', 'a+b:c d', {
      grant_type: 'client_credentials',
      scope: 'application.write',
    });
    const token = new JsonValue(json).at('access_token').text;
    expect((await client.tokeninfo(token)).json).toMatchObject({
      uid: 'stups_robot',
      scope: ['application.write'],
    });
  });

  test('to a person for a password', async () => {
    const { id, secret } = provider.client;
    const fields = { grant_type: 'password', username: 'jdoe', password: 'horse & battery' };
    const { json } = await client.post('/oauth2/token', id, secret, fields);
    expect(json).toMatchObject({ scope: 'uid', realm: '/employees' });
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
    const answer = await client.post('/oauth2/token', id, 'pierone-secret', fields);
    expect(answer).toMatchObject({ status, json: { error } });
  });
});
