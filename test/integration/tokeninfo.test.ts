import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { IdentityUnavailable, InvalidCredential } from '../../src/auth/identity.ts';
import { TokenCheck } from '../../src/auth/token-check.ts';
import { TokeninfoVerifier } from '../../src/auth/tokeninfo.ts';
import { type IdentityProvider, startIdentityProvider } from '../support/identity-provider.ts';
import { PROVIDER_FAULTS } from '../support/identity-provider-faults.ts';

/** Less than the default, for tests of what never answers. */
const TIMEOUT_MS = 1500;

let provider: IdentityProvider;
let now = 0;

beforeEach(async () => {
  now = Date.now();
  provider = await startIdentityProvider();
  provider.addEmployee({ uid: 'jdoe', teams: ['acme'] });
  provider.addService({ uid: 'stups_robot', team: 'acme', scopes: ['uid', 'application.write'] });
});

afterEach(() => provider.close());

function verifier(url = provider.urlOf('tokeninfo')): TokeninfoVerifier {
  return new TokeninfoVerifier({ url, timeoutMs: TIMEOUT_MS, now: () => now });
}

function tokenCheck(): TokenCheck {
  return new TokenCheck([verifier()], { now: () => now });
}

describe('a token that the tokeninfo URL knows', () => {
  test('is that of an employee or service, with scopes and an end', async () => {
    const employee = await verifier().verify(provider.issueToken('jdoe'));
    expect(employee).toEqual({
      principal: { uid: 'jdoe', realm: 'employees' },
      kind: 'oauth',
      scopes: new Set(['uid']),
      expires: expect.any(Number),
    });
    // The answer counts whole seconds, some of which may have passed since the token was issued.
    expect(employee.expires).toBeGreaterThan(now + 3500_000);
    expect(employee.expires).toBeLessThanOrEqual(now + 3601_000);
    const service = await verifier().verify(provider.issueToken('stups_robot'));
    expect(service.principal).toEqual({ uid: 'stups_robot', realm: 'services' });
    expect(service.scopes).toEqual(new Set(['uid', 'application.write']));
  });

  test.each([
    ['scopes in one text', { scope: 'uid application.write' }, ['uid', 'application.write']],
    [
      'attributes that are true',
      { 'application.write': true, 'application.write_all': 'true', admin: true },
      ['uid', 'application.write'],
    ],
    ['no scopes', { scope: undefined }, []],
  ])('may have %s', async (_, claims, scopes) => {
    const token = provider.issueToken('jdoe', { claims });
    expect((await verifier().verify(token)).scopes).toEqual(new Set(scopes));
  });

  test('may have a number for a uid, no realm, and no end', async () => {
    const claims = { uid: 4711, realm: undefined, expires_in: undefined };
    const identity = await verifier().verify(provider.issueToken('jdoe', { claims }));
    expect(identity.principal).toEqual({ uid: '4711', realm: undefined });
    expect(identity.expires).toBeUndefined();
  });

  test.each([
    ['no uid', { uid: undefined }],
    ['an empty uid', { uid: '' }],
    ['a uid that is no text', { uid: ['jdoe'] }],
    ['the reserved uid', { uid: 'anonymous' }],
  ])('is forbidden with %s', async (_, claims) => {
    const refused = expect(verifier().verify(provider.issueToken('jdoe', { claims }))).rejects;
    await refused.toMatchObject({ name: 'InvalidCredential', kind: 'forbidden' });
  });

  test('is refused when its time is over', async () => {
    const token = provider.issueToken('jdoe', { claims: { expires_in: 0 } });
    await expect(verifier().verify(token)).rejects.toThrow('the token has expired');
  });
});

test('a token is sent as a parameter beside those of the URL, whatever its letters', async () => {
  const url = `${provider.urlOf('tokeninfo')}?realm=all&access_token=none`;
  const token = provider.issueToken('jdoe', { token: 'a+b/c=&uid=x%20#~' });
  expect((await verifier(url).verify(token)).principal.uid).toBe('jdoe');
  const [request] = provider.requests('tokeninfo');
  expect(request?.target).toMatch(/\?realm=all&access_token=a%2Bb%2Fc%3D%26uid%3Dx%2520%23%7E$/);
});

describe('a token that it does not know', () => {
  test.each(['invented', 'expired', 'revoked'])('is refused: %s', async (kind) => {
    const expired = provider.issueToken('jdoe', { lifetimeSeconds: 0 });
    const revoked = provider.issueToken('jdoe');
    provider.revoke(revoked);
    const token = { invented: 'invented', expired, revoked }[kind] ?? '';
    const refused = expect(verifier().verify(token)).rejects;
    await refused.toMatchObject({ name: 'InvalidCredential', kind: 'invalid' });
  });

  test('is refused once its entry in the cache has ended, when it was revoked', async () => {
    const [check, token] = [tokenCheck(), provider.issueToken('jdoe')];
    await check.check(token);
    provider.revoke(token);
    now += 119_999;
    expect((await check.check(token)).principal.uid).toBe('jdoe');
    now += 1;
    await expect(check.check(token)).rejects.toThrow(InvalidCredential);
  });
});

test('a thousand checks of one token are one request', async () => {
  const [check, token] = [tokenCheck(), provider.issueToken('jdoe')];
  await Promise.all(Array.from({ length: 500 }, () => check.check(token)));
  for (let time = 0; time < 500; time += 1) await check.check(token);
  expect(provider.count('tokeninfo')).toBe(1);
});

describe('a tokeninfo URL', () => {
  test.each(Object.keys(PROVIDER_FAULTS))('that %s is unavailable, and recovers', async (name) => {
    const [check, token] = [tokenCheck(), provider.issueToken('jdoe')];
    const fault = PROVIDER_FAULTS[name];
    if (fault) provider.plan('tokeninfo', fault);
    const error = await check.check(token).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(IdentityUnavailable);
    expect(String(error)).toMatch(/HTTP_TOKENINFO_URL: /);
    expect(JSON.stringify(error) + String(error)).not.toContain(token);
    provider.mend();
    expect((await check.check(token)).principal.uid).toBe('jdoe');
  });

  test('that answers after ten seconds is given up before', async () => {
    const [check, token] = [tokenCheck(), provider.issueToken('jdoe')];
    provider.plan('tokeninfo', { kind: 'slow', ms: 10_000 });
    await expect(check.check(token)).rejects.toThrow(`no answer within ${TIMEOUT_MS} ms`);
  });

  test('that is gone leaves those be whom it has named lately, and comes back', async () => {
    const [check, token] = [tokenCheck(), provider.issueToken('jdoe')];
    await check.check(token);
    const other = provider.issueToken('stups_robot');
    await provider.vanish();
    expect((await check.check(token)).principal.uid).toBe('jdoe');
    await expect(check.check(other)).rejects.toThrow(/ECONNREFUSED|connection failed/);
    await provider.comeBack();
    expect((await check.check(other)).principal.uid).toBe('stups_robot');
  });

  test.each([400, 401, 403, 404])('that answers %i says that the token is bad', async (status) => {
    provider.plan('tokeninfo', { kind: 'answer', status, body: 'no' });
    const token = provider.issueToken('jdoe');
    await expect(verifier().verify(token)).rejects.toThrow(InvalidCredential);
  });

  test('may call its JSON what it likes', async () => {
    provider.plan('tokeninfo', { kind: 'content-type', contentType: 'text/plain' });
    expect((await verifier().verify(provider.issueToken('jdoe'))).principal.uid).toBe('jdoe');
  });
});
