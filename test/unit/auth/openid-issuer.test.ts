import { describe, expect, test } from 'vitest';
import { OpenIdVerifier } from '../../../src/auth/openid.ts';
import {
  conditionsText,
  matchesPattern,
  openIdIssuerSchema,
} from '../../../src/auth/openid-issuer.ts';

const GITHUB = {
  issuer: 'https://token.actions.githubusercontent.com',
  audience: 'https://registry.example.org',
  conditions: { repository_owner: 'acme' },
};

function problemsOf(entry: unknown): string[] {
  const { error } = openIdIssuerSchema.safeParse(entry);
  return (error?.issues ?? []).map(({ path, message }) => `${path.join('.')} must be ${message}`);
}

describe('an issuer', () => {
  test('needs issuer, audience and a condition, and no more', () => {
    expect(openIdIssuerSchema.parse(GITHUB)).toEqual({
      ...GITHUB,
      uidClaim: 'sub',
      scopes: [],
      teams: [],
      clockSkewSeconds: 30,
    });
  });

  test('is refused without a condition, since it signs tokens for everyone', () => {
    const everyone = { ...GITHUB, conditions: {} };
    expect(problemsOf(everyone)).toEqual([
      expect.stringMatching(/^conditions must be set, .*repository_owner=acme/),
    ]);
    const verifier = () =>
      new OpenIdVerifier([{ ...openIdIssuerSchema.parse(GITHUB), conditions: {} }], {
        setting: 'X',
      });
    expect(verifier).toThrow(/with at least one claim/);
    expect(() => new OpenIdVerifier([], { setting: 'X' })).toThrow();
  });

  test.each([
    ['on the issuer alone', { iss: GITHUB.issuer }, /^conditions must be set/],
    ['on the audience alone', { aud: 'https://registry.*' }, /^conditions must be set/],
    [
      'that everything matches',
      { repository_owner: '*' },
      /^conditions.repository_owner must be a pattern with more than \*/,
    ],
    ['that is empty', { repository_owner: '' }, /a pattern with more than \*/],
    ['that is no text', { repository_owner: 1 }, /conditions.repository_owner must be a pattern/],
  ])('is refused with a condition %s', (_, conditions, sentence) => {
    expect(problemsOf({ ...GITHUB, conditions })).toEqual([expect.stringMatching(sentence)]);
  });

  test.each([
    ['issuer', 'github.com', /^issuer must be the URL of an issuer/],
    ['issuer', 'https://user:secret@example.org', /^issuer must be the URL of an issuer/],
    ['issuer', 'https://example.org/?a=b', /^issuer must be the URL of an issuer/],
    ['issuer', 'file:///etc/passwd', /^issuer must be the URL of an issuer/],
    ['audience', '', /^audience must be a text that is not empty/],
    ['realm', 'customers', /^realm must be employees or services/],
    ['scopes', 'application.write', /^scopes must be a list of texts/],
    ['clockSkewSeconds', 3600, /^clockSkewSeconds must be at most 300 seconds/],
    ['clockSkewSeconds', -1, /^clockSkewSeconds must be a number of seconds that is not negative/],
    ['clock_skew', 5, /^ must be without fields that aren't known: clock_skew/],
    ['conditions', undefined, /^conditions must be an object of claims and patterns/],
  ])('is refused with %s %j', (field, value, sentence) => {
    expect(problemsOf({ ...GITHUB, [field]: value })).toEqual([expect.stringMatching(sentence)]);
  });

  test('has its realm from one place', () => {
    expect(problemsOf({ ...GITHUB, realm: 'services', realmClaim: 'realm' })).toEqual([
      'realmClaim must be left out when realm is set: keep one of them',
    ]);
  });
});

describe('conditions in one text', () => {
  test('are claims and patterns', () => {
    expect(conditionsText.parse('repository_owner=acme, ref=refs/heads/*')).toEqual({
      repository_owner: 'acme',
      ref: 'refs/heads/*',
    });
    expect(conditionsText.parse('sub=a=b')).toEqual({ sub: 'a=b' });
  });

  test.each(['', 'acme', '=acme', 'repository_owner=', 'ref=a,,', 'ref=a,ref=b', 'iss=x', 'ref=*'])(
    'are not %j',
    (text) => {
      expect(conditionsText.safeParse(text).success).toBe(false);
    },
  );
});

describe('a pattern', () => {
  test.each([
    ['acme', 'acme', true],
    ['acme', 'acme-evil', false],
    ['acme', 'ACME', false],
    ['acme', '', false],
    ['refs/heads/*', 'refs/heads/main', true],
    ['refs/heads/*', 'refs/heads/feature/x', true],
    ['refs/heads/*', 'refs/heads/', true],
    ['refs/heads/*', 'refs/tags/refs/heads/main', false],
    ['*@refs/heads/main', 'acme/app/.github/workflows/release.yml@refs/heads/main', true],
    ['a*b*c', 'a-b-c', true],
    ['a*b*c', 'abc', true],
    ['a*b*c', 'acb', false],
    ['ab*ba', 'aba', false],
    ['a*a', 'a', false],
    ['acme/*.git', 'acme/xgit', false],
    ['acme/**', 'acme/app', true],
    ['a.c', 'abc', false],
  ])('%j and %j: %s', (pattern, text, matches) => {
    expect(matchesPattern(text, pattern)).toBe(matches);
  });

  test('of many stars takes no time that grows with their number', () => {
    expect(matchesPattern('a'.repeat(16_000), `${'*a'.repeat(2000)}*b`)).toBe(false);
  });
});
