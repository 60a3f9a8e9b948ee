import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { InvalidCredential } from '../../src/auth/identity.ts';
import { type OpenIdVerifier, openIdVerifiers } from '../../src/auth/openid.ts';
import { openIdIssuerSchema } from '../../src/auth/openid-issuer.ts';
import { TokenCheck } from '../../src/auth/token-check.ts';
import { type IdentityProvider, startIdentityProvider } from '../support/identity-provider.ts';
import {
  githubActionsClaims,
  gitlabClaims,
  keycloakClaims,
  kubernetesClaims,
} from '../support/identity-provider-claims.ts';
import type { JwtOptions } from '../support/identity-provider-keys.ts';
import { present } from '../support/vocabulary.ts';

const SKEW_SECONDS = 30;

let provider: IdentityProvider;
let stranger: IdentityProvider;
let now = 0;

beforeAll(async () => {
  [provider, stranger] = await Promise.all([startIdentityProvider(), startIdentityProvider()]);
});

afterAll(() => Promise.all([provider.close(), stranger.close()]));

beforeEach(() => {
  now = Date.now();
  provider.clear();
});

function verifierFor(...entries: object[]): OpenIdVerifier {
  const usual = {
    issuer: provider.issuer,
    audience: 'pierone',
    conditions: { repository_owner: 'acme', ref: 'refs/heads/*' },
    realm: 'services',
    clockSkewSeconds: SKEW_SECONDS,
  };
  const given = entries.length > 0 ? entries : [{}];
  const parsed = given.map((entry) => openIdIssuerSchema.parse({ ...usual, ...entry }));
  const [verifier] = openIdVerifiers(parsed, { setting: 'HTTP_OIDC_ISSUER', now: () => now });
  return present(verifier, 'the verifier');
}

function tokenCheck(...verifiers: OpenIdVerifier[]): TokenCheck {
  return new TokenCheck(verifiers.length > 0 ? verifiers : [verifierFor()], { now: () => now });
}

function mint(claims: object = {}, options: JwtOptions = {}): Promise<string> {
  return provider.mintJwt({ ...githubActionsClaims('acme/app'), ...claims }, options);
}

const seconds = () => Math.floor(now / 1000);

describe('a token of a workflow of the organisation', () => {
  test.each(['RS256', 'ES256'] as const)('names it, signed by %s', async (alg) => {
    const exp = seconds() + 300;
    const identity = await tokenCheck().check(
      await mint({ exp, run_id: '7', sha: 'f00d' }, { alg }),
    );
    const workflow = 'acme/app/.github/workflows/release.yml@refs/heads/main';
    expect(identity).toEqual({
      principal: {
        uid: 'repo:acme/app:ref:refs/heads/main',
        realm: 'services',
        issuer: provider.issuer,
        claims: {
          subject: 'repo:acme/app:ref:refs/heads/main',
          repository: 'acme/app',
          ref: 'refs/heads/main',
          workflow,
          run: '7',
          revision: 'f00d',
          actor: 'jdoe',
        },
      },
      kind: 'oauth',
      scopes: new Set(),
      teams: undefined,
      expires: (exp + SKEW_SECONDS) * 1000,
    });
  });

  test('may have several audiences', async () => {
    const token = await mint({ aud: ['elsewhere', 'pierone'] });
    expect((await tokenCheck().check(token)).principal.issuer).toBe(provider.issuer);
  });

  test('may come from a clock that is a little ahead, or a little behind', async () => {
    const ahead = await mint({ iat: seconds() + 20, nbf: seconds() + 20 });
    const behind = await mint({ exp: seconds() - 20 });
    const check = tokenCheck();
    await expect(check.check(ahead)).resolves.toBeDefined();
    await expect(check.check(behind)).resolves.toBeDefined();
  });
});

describe('a token is refused', () => {
  const foreign = githubActionsClaims('evil/app');
  const cases: Record<string, [claims: object, options: JwtOptions, sentence: RegExp]> = {
    'that has expired': [{ exp: 1_700_000_000 }, {}, /has expired/],
    'that never expires': [{ exp: undefined }, {}, /doesn't say when it expires/],
    'whose end is no number': [{ exp: 'never' }, {}, /doesn't say when it expires/],
    'that is for later': [{ nbf: 9_999_999_999 }, {}, /isn't valid yet/],
    'from the future': [{ iat: 9_999_999_999 }, {}, /isn't valid yet/],
    'of another audience': [{ aud: 'elsewhere' }, {}, /its audience must be pierone/],
    'of an audience that begins alike': [{ aud: 'pierone-test' }, {}, /its audience must be/],
    'without audience': [{ aud: undefined }, {}, /its audience must be pierone/],
    'of another organisation': [foreign, {}, /claim repository_owner is another one/],
    'of another branch': [{ ref: 'refs/pull/1/merge' }, {}, /claim ref is another one/],
    'that is not signed': [{}, { alg: 'none' }, /isn't signed by a key of its issuer/],
    'signed with the public key as a secret': [{}, { alg: 'HS256' }, /isn't signed by a key/],
    'signed by another key': [{}, { key: 'foreign' }, /isn't signed by a key/],
    'signed by another key of a curve': [{}, { key: 'foreign', alg: 'ES256' }, /isn't signed/],
    'of an unknown kid': [{}, { kid: 'unknown' }, /isn't signed by a key of its issuer/],
    'without a kid, signed by another key': [{}, { kid: null, key: 'foreign' }, /isn't signed/],
    'without a user': [{ sub: undefined }, {}, /names no user/],
    'of a reserved user': [{ sub: 'anonymous' }, {}, /is reserved/],
  };

  test.each(Object.keys(cases))('%s', async (name) => {
    const [claims, options, sentence] = cases[name] ?? [{}, {}, /unknown/];
    const refused = tokenCheck().check(await mint(claims, options));
    const error = await refused.catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(InvalidCredential);
    expect(String(error)).toMatch(sentence);
    expect(String(error)).not.toMatch(/evil|elsewhere|pull|eyJ/);
  });

  test('of another issuer, who is not asked', async () => {
    stranger.clear();
    const token = await stranger.mintJwt(githubActionsClaims('acme/app'));
    await expect(tokenCheck().check(token)).rejects.toThrow(/nobody that this registry knows/);
    expect([stranger.count(), provider.count()]).toEqual([0, 0]);
  });

  test('of another issuer that claims to be this one', async () => {
    const claims = { ...githubActionsClaims('acme/app'), iss: provider.issuer };
    const kid = provider.kid();
    const token = await stranger.mintJwt(claims, { header: { kid } });
    await expect(tokenCheck().check(token)).rejects.toThrow(/isn't signed by a key/);
  });

  test('that brings its own key, or an address for it', async () => {
    stranger.clear();
    const jku = stranger.urlOf('jwks');
    const token = await mint(
      {},
      { key: 'foreign', header: { jku, x5u: jku, jwk: { kty: 'RSA' } } },
    );
    await expect(tokenCheck().check(token)).rejects.toThrow(/isn't signed by a key/);
    expect(stranger.count()).toBe(0);
  });

  test('whose claims were changed', async () => {
    const [header, , signature] = (await mint()).split('.');
    const claims = { ...githubActionsClaims('acme/app'), iss: provider.issuer, aud: 'pierone' };
    const forged = Buffer.from(JSON.stringify({ ...claims, exp: 9_999_999_999 }));
    const token = `${header}.${forged.toString('base64url')}.${signature}`;
    await expect(tokenCheck().check(token)).rejects.toThrow(/isn't signed by a key/);
  });

  test('replayed after its end, though it was valid a moment ago', async () => {
    const check = tokenCheck(verifierFor({ clockSkewSeconds: 0 }));
    const exp = seconds() + 60;
    // Without skew, an issuer's clock that is in the next second already is one too many.
    const token = await mint({ exp, iat: seconds() });
    await check.check(token);
    now = exp * 1000 - 1;
    expect(check.cached(token)).toBeDefined();
    now = exp * 1000;
    expect(check.cached(token)).toBeUndefined();
    await expect(check.check(token)).rejects.toThrow(/has expired/);
  });
});

test.each(['', 'a', 'a.b', 'a.b.c', 'a.b.c.d', '..', 'e30.bnVsbA.e30', 'e30.W10.e30', '.........'])(
  '%j is no token of the issuer',
  (token) => {
    expect(verifierFor().recognizes(token)).toBe(false);
  },
);

test('a thousand checks of one token are one look-up of the keys', async () => {
  const [check, token] = [tokenCheck(), await mint()];
  await Promise.all(Array.from({ length: 1000 }, () => check.check(token)));
  expect([provider.count('discovery'), provider.count('jwks')]).toEqual([1, 1]);
});

test('two issuers of the same user name are two principals', async () => {
  const conditions = { repository_owner: 'acme' };
  const check = tokenCheck(verifierFor(), verifierFor({ issuer: stranger.issuer, conditions }));
  const claims = githubActionsClaims('acme/app');
  const one = await check.check(await provider.mintJwt(claims));
  const other = await check.check(await stranger.mintJwt(claims));
  expect(one.principal.uid).toBe(other.principal.uid);
  expect(one.principal.issuer).not.toBe(other.principal.issuer);
});

describe('several entries of one issuer', () => {
  const acme = { conditions: { repository_owner: 'acme', ref: 'refs/heads/*' }, teams: ['acme'] };
  const shop = { conditions: { repository_owner: 'shop' }, audience: 'shops', teams: ['shop'] };

  test('the first that matches says what a token means, and keys are looked up once', async () => {
    const check = tokenCheck(verifierFor(acme, { ...acme, teams: ['second'] }, shop));
    expect((await check.check(await mint())).teams).toEqual(new Set(['acme']));
    const token = await provider.mintJwt({ ...githubActionsClaims('shop/app'), aud: 'shops' });
    expect((await check.check(token)).teams).toEqual(new Set(['shop']));
    expect(provider.count('jwks')).toBe(1);
  });

  test('audience and conditions are of one entry, never some of each', async () => {
    const check = tokenCheck(verifierFor(acme, shop));
    const mixed = await provider.mintJwt({ ...githubActionsClaims('acme/app'), aud: 'shops' });
    await expect(check.check(mixed)).rejects.toThrow(
      /its audience must be pierone; or .* claim repository_owner is another one/,
    );
  });

  test('are one verifier, and those of another issuer another', () => {
    const entries = [provider.issuer, stranger.issuer, provider.issuer].map((issuer) =>
      openIdIssuerSchema.parse({ issuer, audience: 'pierone', conditions: { ref: 'x' } }),
    );
    expect(openIdVerifiers(entries, { setting: 'HTTP_OIDC_ISSUERS_FILE' })).toHaveLength(2);
  });
});

describe('the documented issuers', () => {
  test('GitLab: jobs on protected branches of a group', async () => {
    const check = tokenCheck(
      verifierFor({
        conditions: { namespace_path: 'acme', ref_protected: 'true' },
        uidClaim: 'project_path',
        scopes: ['application.write'],
        teams: ['acme'],
      }),
    );
    const identity = await check.check(await provider.mintJwt(gitlabClaims('acme/app')));
    expect(identity).toMatchObject({
      principal: { uid: 'acme/app', realm: 'services', claims: { repository: 'acme/app' } },
      scopes: new Set(['application.write']),
      teams: new Set(['acme']),
    });
    const unprotected = gitlabClaims('acme/app', { ref_protected: 'false' });
    await expect(check.check(await provider.mintJwt(unprotected))).rejects.toThrow(/ref_protected/);
    const foreign = await provider.mintJwt(gitlabClaims('evil/app'));
    await expect(check.check(foreign)).rejects.toThrow(/namespace_path/);
  });

  test('Kubernetes: service accounts of a namespace', async () => {
    const check = tokenCheck(verifierFor({ conditions: { sub: 'system:serviceaccount:ci:*' } }));
    const identity = await check.check(await provider.mintJwt(kubernetesClaims('ci', 'builder')));
    expect(identity.principal).toMatchObject({
      uid: 'system:serviceaccount:ci:builder',
      claims: { namespace: 'ci', serviceaccount: 'builder' },
    });
    const foreign = await provider.mintJwt(kubernetesClaims('ci-evil', 'builder'));
    await expect(check.check(foreign)).rejects.toThrow(/claim sub is another one/);
  });

  test('Keycloak: people with their groups', async () => {
    const check = tokenCheck(
      verifierFor({
        conditions: { azp: 'pierone', typ: 'Bearer' },
        uidClaim: 'preferred_username',
        realm: 'employees',
        teamsClaim: 'groups',
      }),
    );
    const token = await provider.mintJwt(keycloakClaims('jdoe', ['acme', 'shop']));
    expect(await check.check(token)).toMatchObject({
      principal: { uid: 'jdoe', realm: 'employees' },
      scopes: new Set(['openid', 'profile', 'email']),
      teams: new Set(['acme', 'shop']),
    });
    const identityToken = keycloakClaims('jdoe', ['acme'], { typ: 'ID' });
    await expect(check.check(await provider.mintJwt(identityToken))).rejects.toThrow(/claim typ/);
  });
});
