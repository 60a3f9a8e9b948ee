import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { IdentityUnavailable, InvalidCredential } from '../../src/auth/identity.ts';
import { OpenIdVerifier } from '../../src/auth/openid.ts';
import { openIdIssuerSchema } from '../../src/auth/openid-issuer.ts';
import { type IdentityProvider, startIdentityProvider } from '../support/identity-provider.ts';
import { githubActionsClaims } from '../support/identity-provider-claims.ts';
import { PROVIDER_FAULTS } from '../support/identity-provider-faults.ts';
import type { JwtOptions } from '../support/identity-provider-keys.ts';

/** Less than the default, for tests of what never answers. */
const TIMEOUT_MS = 1500;
const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;

let provider: IdentityProvider;
let verifier: OpenIdVerifier;
let now = 0;

beforeEach(async () => {
  now = Date.now();
  provider = await startIdentityProvider();
  verifier = new OpenIdVerifier(
    [
      openIdIssuerSchema.parse({
        issuer: provider.issuer,
        audience: 'pierone',
        conditions: { repository_owner: 'acme' },
      }),
    ],
    { setting: 'HTTP_OIDC_ISSUER', timeoutMs: TIMEOUT_MS, now: () => now },
  );
});

afterEach(() => provider.close());

/** A token that is valid now, wherever the test has put the clock. */
function mint(options: JwtOptions = {}): Promise<string> {
  const iat = Math.floor(now / 1000);
  return provider.mintJwt(githubActionsClaims('acme/app', { iat, exp: iat + 300 }), options);
}

async function verify(options: JwtOptions = {}): Promise<string> {
  return (await verifier.verify(await mint(options))).principal.uid;
}

describe('keys', () => {
  test('are looked up once for tokens that come at the same time, and again after ten minutes', async () => {
    await Promise.all(Array.from({ length: 50 }, () => verify()));
    now += 10 * MINUTE_MS - 1;
    await verify();
    expect([provider.count('discovery'), provider.count('jwks')]).toEqual([1, 1]);
    now += 1;
    await Promise.all([verify(), verify()]);
    expect([provider.count('discovery'), provider.count('jwks')]).toEqual([2, 2]);
  });

  test('that were rotated are known at once', async () => {
    await verify();
    await provider.rotateKeys();
    await verify();
    expect(provider.count('jwks')).toBe(2);
  });

  test('that were rotated go on as long as they are published', async () => {
    const kid = provider.kid();
    await verify();
    await provider.rotateKeys({ keepOld: true });
    await verify();
    await verify({ kid });
    await provider.rotateKeys();
    now += 10 * MINUTE_MS;
    await expect(verify({ kid })).rejects.toThrow(InvalidCredential);
  });

  test('are looked up for unknown kids once in half a minute, however many come', async () => {
    await verify();
    const flood = () =>
      Promise.all(
        Array.from({ length: 100 }, (_, index) =>
          expect(verify({ kid: `unknown-${index}` })).rejects.toThrow(InvalidCredential),
        ),
      );
    await flood();
    await flood();
    expect(provider.count('jwks')).toBe(2);
    await verify();
    now += 30_000;
    await flood();
    expect(provider.count('jwks')).toBe(3);
  });

  test('are not looked up for tokens that no key could make valid', async () => {
    await verify();
    await expect(verify({ alg: 'none', kid: 'unknown' })).rejects.toThrow(InvalidCredential);
    await expect(verify({ alg: 'HS256', kid: 'unknown' })).rejects.toThrow(InvalidCredential);
    expect(provider.count('jwks')).toBe(1);
  });
});

describe('an issuer that is gone', () => {
  test('is unavailable while no keys are known, and recovers', async () => {
    await provider.vanish();
    const error = await verify().catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(IdentityUnavailable);
    expect(String(error)).toMatch(/HTTP_OIDC_ISSUER: no answer/);
    await provider.comeBack();
    expect(await verify()).toBe('repo:acme/app:ref:refs/heads/main');
  });

  test('leaves its keys in use for a day', async () => {
    await verify();
    await provider.vanish();
    now += 24 * HOUR_MS - 1;
    expect(await verify()).toBe('repo:acme/app:ref:refs/heads/main');
    now += 1;
    await expect(verify()).rejects.toThrow(IdentityUnavailable);
    await provider.comeBack();
    expect(await verify()).toBe('repo:acme/app:ref:refs/heads/main');
  });

  test('is asked again after half a minute, not by each token', async () => {
    await verify();
    const fault = provider.plan('discovery', { kind: 'answer', status: 503, body: '' });
    now += 10 * MINUTE_MS;
    for (let time = 0; time < 10; time += 1) await verify();
    expect(fault.count()).toBe(1);
    now += 30_000;
    await verify();
    expect(fault.count()).toBe(2);
    provider.mend();
    now += 30_000;
    await verify();
    expect(provider.count('jwks')).toBe(2);
  });

  test('makes a token of a new key neither valid nor invalid', async () => {
    await verify();
    await provider.rotateKeys();
    provider.plan('jwks', { kind: 'answer', status: 503, body: '' });
    await expect(verify()).rejects.toThrow(IdentityUnavailable);
    await expect(verify()).rejects.toThrow(IdentityUnavailable);
    expect(provider.count('jwks')).toBe(2);
    provider.mend();
    now += 30_000;
    expect(await verify()).toBe('repo:acme/app:ref:refs/heads/main');
  });
});

describe.each(['discovery', 'jwks'] as const)('an issuer whose %s', (endpoint) => {
  test.each(Object.keys(PROVIDER_FAULTS))('%s is unavailable, and recovers', async (name) => {
    const fault = PROVIDER_FAULTS[name];
    if (fault) provider.plan(endpoint, fault);
    await expect(verify()).rejects.toThrow(IdentityUnavailable);
    provider.mend();
    expect(await verify()).toBe('repo:acme/app:ref:refs/heads/main');
  });
});

describe('an issuer is unavailable', () => {
  const answer = (body: object, status = 200) =>
    ({ kind: 'answer', status, body: JSON.stringify(body) }) as const;
  const jwks_uri = 'http://127.0.0.1:1/keys';

  test.each([
    ['of another name', { issuer: 'https://id.example.org', jwks_uri }, /names another issuer/],
    ['without a name', { jwks_uri }, /names no issuer and jwks_uri/],
    ['without keys', { issuer: 'ISSUER' }, /names no issuer and jwks_uri/],
    ['with its keys in a file', { issuer: 'ISSUER', jwks_uri: 'file:///keys' }, /no https URL/],
  ])('by a discovery document %s', async (_, document, sentence) => {
    const body = JSON.stringify(document).replace('ISSUER', provider.issuer);
    provider.plan('discovery', { kind: 'answer', status: 200, body });
    await expect(verify()).rejects.toThrow(sentence);
  });

  test.each([
    ['that is empty', { keys: [] }, /has no public key/],
    ['of secrets', { keys: [{ kty: 'oct', k: 'c2VjcmV0', kid: 'x' }] }, /has no public key/],
    ['that is a list', [], /no key set/],
    ['of what are no keys', { keys: ['x'] }, /no key set/],
    ['without end', { keys: Array.from({ length: 201 }, () => ({ kty: 'RSA' })) }, /no key set/],
  ])('by a key set %s', async (_, keys, sentence) => {
    provider.plan('jwks', answer(keys));
    await expect(verify()).rejects.toThrow(sentence);
  });

  test('by a key that is broken', async () => {
    const keys = [{ kty: 'RSA', kid: provider.kid(), alg: 'RS256', n: 'AQAB', e: 'AQAB' }];
    provider.plan('jwks', answer({ keys }));
    await expect(verify()).rejects.toThrow("a key of the issuer can't be used");
  });

  test('by a status that is no success', async () => {
    provider.plan('discovery', answer({}, 404));
    await expect(verify()).rejects.toThrow('status 404');
  });
});
