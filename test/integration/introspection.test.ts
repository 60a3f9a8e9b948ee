import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { IdentityUnavailable, InvalidCredential } from '../../src/auth/identity.ts';
import { type IntrospectionOptions, IntrospectionVerifier } from '../../src/auth/introspection.ts';
import { type IdentityProvider, startIdentityProvider } from '../support/identity-provider.ts';
import { PROVIDER_FAULTS } from '../support/identity-provider-faults.ts';

const TIMEOUT_MS = 1500;
/** Needs the encoding of RFC 6749, section 2.3.1: a colon and a percent sign mean something otherwise. */
const CLIENT = { id: 'https://registry:1', secret: 'a+b c%3A:ü' };

let provider: IdentityProvider;

beforeEach(async () => {
  provider = await startIdentityProvider({ client: CLIENT });
  provider.addEmployee({ uid: 'jdoe', teams: ['acme'] });
  provider.addService({ uid: 'stups_robot', team: 'acme', scopes: ['uid', 'application.write'] });
});

afterEach(() => provider.close());

function verifier(options: Partial<IntrospectionOptions> = {}): IntrospectionVerifier {
  return new IntrospectionVerifier({
    url: provider.urlOf('introspection'),
    clientId: CLIENT.id,
    clientSecret: CLIENT.secret,
    setting: 'HTTP_INTROSPECTION_URL',
    timeoutMs: TIMEOUT_MS,
    ...options,
  });
}

describe('a token that is active', () => {
  test('names its bearer, scopes and end', async () => {
    const identity = await verifier({ realmClaim: 'realm' }).verify(
      provider.issueToken('stups_robot'),
    );
    expect(identity).toMatchObject({
      principal: { uid: 'stups_robot', realm: 'services' },
      kind: 'oauth',
      scopes: new Set(['uid', 'application.write']),
      teams: undefined,
    });
    expect(identity.expires).toBeGreaterThan(Date.now());
  });

  test('has no realm and no teams of its own unless their claims are named', async () => {
    const token = provider.issueToken('jdoe', { claims: { groups: ['/acme', 'shop'] } });
    const plain = await verifier().verify(token);
    expect([plain.principal.realm, plain.teams]).toEqual([undefined, undefined]);
    const { teams } = await verifier({ teamsClaim: 'groups' }).verify(token);
    expect(teams).toEqual(new Set(['acme', 'shop']));
  });

  test.each([
    ['username before sub', { username: 'jane', sub: '4711' }, undefined, 'jane'],
    ['sub without username', { username: undefined, sub: '4711' }, undefined, '4711'],
    ['sub where username is empty', { username: '', sub: '4711' }, undefined, '4711'],
    ['the claim that is named', { email: 'jane@example.org' }, ['email'], 'jane@example.org'],
  ])('is that of %s', async (_, claims, uidClaims, uid) => {
    const token = provider.issueToken('jdoe', { claims });
    expect((await verifier({ uidClaims }).verify(token)).principal.uid).toBe(uid);
  });

  test.each([
    ['nobody', { username: undefined, sub: undefined }],
    ['the reserved name', { username: 'anonymous' }],
  ])('is forbidden when it names %s', async (_, claims) => {
    const refused = expect(verifier().verify(provider.issueToken('jdoe', { claims }))).rejects;
    await refused.toMatchObject({ name: 'InvalidCredential', kind: 'forbidden' });
  });

  test('is refused after its end, and for another audience where one is asked for', async () => {
    const over = provider.issueToken('jdoe', { claims: { exp: 1 } });
    await expect(verifier().verify(over)).rejects.toThrow('the token has expired');
    const elsewhere = provider.issueToken('jdoe', { audience: 'elsewhere' });
    expect((await verifier().verify(elsewhere)).principal.uid).toBe('jdoe');
    const strict = verifier({ audience: 'pierone' });
    await expect(strict.verify(elsewhere)).rejects.toThrow('its audience must be pierone');
    const both = provider.issueToken('jdoe', { audience: ['elsewhere', 'pierone'] });
    expect((await strict.verify(both)).principal.uid).toBe('jdoe');
  });
});

test.each([
  ['false', { active: false }],
  ['missing', { active: undefined }],
  ['a text', { active: 'true' }],
])('a token is refused whose activity is %s', async (_, claims) => {
  const refused = expect(verifier().verify(provider.issueToken('jdoe', { claims }))).rejects;
  await refused.toMatchObject({ name: 'InvalidCredential', kind: 'invalid' });
});

test('a token is refused that was revoked, has expired or was invented', async () => {
  const revoked = provider.issueToken('jdoe');
  provider.revoke(revoked);
  const expired = provider.issueToken('jdoe', { lifetimeSeconds: 0 });
  for (const token of [revoked, expired, 'invented']) {
    await expect(verifier().verify(token)).rejects.toThrow(InvalidCredential);
  }
});

test('a token goes in the body, never in the URL', async () => {
  const token = provider.issueToken('jdoe', { token: 'a+b/c=&active=true' });
  await verifier().verify(token);
  const [request] = provider.requests('introspection');
  expect(request).toMatchObject({ method: 'POST', target: '/oauth2/introspect' });
  expect(request?.headers['content-type']).toMatch(/^application\/x-www-form-urlencoded/);
  expect(request?.body).toBe('token=a%2Bb%2Fc%3D%26active%3Dtrue');
});

describe('the authorization server', () => {
  test('that refuses the registry itself says nothing of the token', async () => {
    const wrong = verifier({ clientSecret: 'wrong-secret' });
    const error = await wrong
      .verify(provider.issueToken('jdoe'))
      .catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(IdentityUnavailable);
    expect(String(error)).toContain("refuses the registry's own client id and secret (status 401)");
    expect(String(error)).not.toContain('wrong-secret');
  });

  test.each(Object.keys(PROVIDER_FAULTS))('that %s is unavailable, and recovers', async (name) => {
    const token = provider.issueToken('jdoe');
    const fault = PROVIDER_FAULTS[name];
    if (fault) provider.plan('introspection', fault);
    await expect(verifier().verify(token)).rejects.toThrow(IdentityUnavailable);
    provider.mend();
    expect((await verifier().verify(token)).principal.uid).toBe('jdoe');
  });

  test('that answers 400 is no word about the token', async () => {
    provider.plan('introspection', { kind: 'answer', status: 400, body: '{"active":true}' });
    await expect(verifier().verify('any')).rejects.toThrow('status 400');
  });
});
