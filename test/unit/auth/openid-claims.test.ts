import { describe, expect, test } from 'vitest';
import { identityOf } from '../../../src/auth/openid-claims.ts';
import { openIdIssuerSchema } from '../../../src/auth/openid-issuer.ts';

const CLAIMS = { sub: 'repo:acme/app:ref:refs/heads/main', repository_owner: 'acme' };

function issuer(options: object = {}) {
  return openIdIssuerSchema.parse({
    issuer: 'https://token.example.org',
    audience: 'pierone',
    conditions: { repository_owner: 'acme' },
    ...options,
  });
}

describe('conditions', () => {
  const conditions = { repository_owner: 'acme', ref: 'refs/heads/*', protected: 'true', id: '7' };
  const matching = { ...CLAIMS, ref: 'refs/heads/main', protected: true, id: 7 };

  test('hold for texts, booleans and numbers', () => {
    expect(identityOf(issuer({ conditions }), matching).principal.uid).toBe(CLAIMS.sub);
  });

  test.each([
    ['repository_owner', 'acme-evil', /its claim repository_owner is another one/],
    ['repository_owner', undefined, /its claim repository_owner is missing/],
    ['repository_owner', ['acme'], /its claim repository_owner is missing/],
    ['repository_owner', { acme: true }, /its claim repository_owner is missing/],
    ['ref', 'refs/tags/1.0', /its claim ref is another one/],
    ['protected', false, /its claim protected is another one/],
  ])('refuse %s %j, without its value', (name, value, sentence) => {
    const refused = () => identityOf(issuer({ conditions }), { ...matching, [name]: value });
    expect(refused).toThrow(sentence);
    expect(refused).not.toThrow(/evil|tags|false/);
  });

  test('on what every object inherits hold for nobody', () => {
    const inherited = issuer({ conditions: { constructor: 'function*' } });
    expect(() => identityOf(inherited, CLAIMS)).toThrow(/constructor is missing/);
  });
});

describe('realm, scopes and teams', () => {
  test('come from the settings of the issuer', () => {
    const fixed = { realm: 'services', scopes: ['application.write'], teams: ['acme'] };
    const identity = identityOf(issuer(fixed), { ...CLAIMS, realm: '/employees' });
    expect(identity).toMatchObject({
      principal: { uid: CLAIMS.sub, realm: 'services', issuer: 'https://token.example.org' },
      kind: 'oauth',
      scopes: new Set(['application.write']),
      teams: new Set(['acme']),
    });
  });

  test('come from claims', () => {
    const named = {
      uidClaim: 'preferred_username',
      realmClaim: 'realm',
      scopesClaim: 'permissions',
      teamsClaim: 'groups',
    };
    const claims = {
      preferred_username: 'jdoe',
      realm: '/employees',
      permissions: ['application.write'],
      groups: ['/acme', '/shop'],
      scope: 'application.write_all',
    };
    const identity = identityOf(issuer(named), { ...CLAIMS, ...claims });
    expect(identity.principal).toMatchObject({ uid: 'jdoe', realm: 'employees' });
    expect(identity.scopes).toEqual(new Set(['application.write']));
    expect(identity.teams).toEqual(new Set(['acme', 'shop']));
  });

  test('come from both together', () => {
    const both = { scopes: ['uid'], teams: ['acme'], teamsClaim: 'team' };
    const claims = { scope: 'openid application.write', scp: ['x'], team: 'shop' };
    const identity = identityOf(issuer(both), { ...CLAIMS, ...claims });
    expect(identity.scopes).toEqual(new Set(['uid', 'openid', 'application.write', 'x']));
    expect(identity.teams).toEqual(new Set(['acme', 'shop']));
  });

  test('are unknown unless said: no realm, and a team source is asked', () => {
    const identity = identityOf(issuer(), { ...CLAIMS, realm: 'employees', groups: ['acme'] });
    expect(identity.principal.realm).toBeUndefined();
    expect(identity.teams).toBeUndefined();
    expect(identity.scopes).toEqual(new Set());
    expect(identityOf(issuer({ teams: [] }), CLAIMS).teams).toBeUndefined();
  });

  test('of a token without the teams claim: no teams', () => {
    expect(identityOf(issuer({ teamsClaim: 'groups' }), CLAIMS).teams).toEqual(new Set());
  });

  test('a token without the uid claim names nobody', () => {
    const refused = () => identityOf(issuer({ uidClaim: 'email' }), CLAIMS);
    expect(refused).toThrow(expect.objectContaining({ kind: 'forbidden' }));
  });
});

describe('what the audit trail keeps of a token', () => {
  test.each([
    [
      'GitHub Actions',
      {
        repository: 'acme/app',
        ref: 'refs/heads/main',
        workflow: 'Release',
        workflow_ref: 'acme/app/.github/workflows/release.yml@refs/heads/main',
        run_id: '4711',
        sha: 'f00d',
        actor: 'jdoe',
        event_name: 'push',
      },
      {
        repository: 'acme/app',
        ref: 'refs/heads/main',
        workflow: 'acme/app/.github/workflows/release.yml@refs/heads/main',
        run: '4711',
        revision: 'f00d',
        actor: 'jdoe',
      },
    ],
    [
      'GitLab',
      {
        project_path: 'acme/app',
        ci_config_ref_uri: 'gitlab.example.org/acme/app//.gitlab-ci.yml@refs/heads/main',
        pipeline_id: '12',
        job_id: 34,
        sha: 'beef',
        user_login: 'jdoe',
      },
      {
        repository: 'acme/app',
        workflow: 'gitlab.example.org/acme/app//.gitlab-ci.yml@refs/heads/main',
        run: '12',
        job: '34',
        revision: 'beef',
        actor: 'jdoe',
      },
    ],
    [
      'Kubernetes',
      {
        'kubernetes.io': {
          namespace: 'ci',
          serviceaccount: { name: 'builder', uid: '1' },
          pod: { name: 'build-7', uid: '2' },
        },
      },
      { namespace: 'ci', serviceaccount: 'builder', pod: 'build-7' },
    ],
    ['others', {}, {}],
  ])('of %s', (_, claims, kept) => {
    const { principal } = identityOf(issuer(), { ...CLAIMS, ...claims });
    expect(principal.claims).toEqual({ subject: CLAIMS.sub, ...kept });
  });

  test('is bounded, and of one line', () => {
    const { principal } = identityOf(issuer(), {
      ...CLAIMS,
      repository: 'x'.repeat(5000),
      workflow: 'a\nb\0c',
      sha: { f00d: true },
      'kubernetes.io': 'ci',
    });
    expect(principal.claims?.['repository']).toHaveLength(512);
    expect(principal.claims?.['workflow']).toBe('a\uFFFDb\uFFFDc');
    expect(principal.claims).not.toHaveProperty('revision');
  });
});
