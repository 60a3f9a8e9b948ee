import {
  type Claims,
  claimOf,
  claimsOf,
  namesOf,
  realmOf,
  scopesOf,
  textOf,
  uidOf,
} from './claims.ts';
import { type Identity, InvalidCredential } from './identity.ts';
import { matchesPattern, type OpenIdIssuer } from './openid-issuer.ts';

/** What is kept of a claim for the audit trail. */
const MAX_CLAIM_LENGTH = 512;

/** The names of the audit trail, and the claims of GitHub Actions and GitLab that hold them, the better one first. */
const RUN_CLAIMS: Readonly<Record<string, readonly string[]>> = {
  subject: ['sub'],
  repository: ['repository', 'project_path'],
  ref: ['ref'],
  workflow: ['workflow_ref', 'workflow', 'ci_config_ref_uri'],
  run: ['run_id', 'pipeline_id'],
  job: ['job_id'],
  revision: ['sha'],
  actor: ['actor', 'user_login'],
};

/**
 * @param claims of a token whose signature, issuer, audience and times are right
 * @throws InvalidCredential when a condition doesn't hold, or nobody is named
 */
export function identityOf(issuer: OpenIdIssuer, claims: Claims): Omit<Identity, 'expires'> {
  checkConditions(issuer, claims);
  const { uidClaim, realm, realmClaim } = issuer;
  return {
    principal: {
      uid: uidOf(claimOf(claims, uidClaim)),
      realm: realmClaim === undefined ? realm : realmOf(claimOf(claims, realmClaim)),
      issuer: issuer.issuer,
      claims: runOf(claims),
    },
    kind: 'oauth',
    scopes: new Set([...issuer.scopes, ...grantedScopes(issuer, claims)]),
    teams: teamsOf(issuer, claims),
  };
}

function checkConditions({ conditions }: OpenIdIssuer, claims: Claims): void {
  for (const [name, pattern] of Object.entries(conditions)) {
    const text = textOf(claimOf(claims, name));
    if (text !== undefined && matchesPattern(text, pattern)) continue;
    throw new InvalidCredential(
      `this registry doesn't accept the token of this bearer: its claim ${name} is ${text === undefined ? 'missing' : 'another one'}`,
    );
  }
}

function grantedScopes({ scopesClaim }: OpenIdIssuer, claims: Claims): string[] {
  const names = scopesClaim === undefined ? ['scope', 'scp'] : [scopesClaim];
  return names.flatMap((name) => scopesOf(claimOf(claims, name)));
}

/** @returns undefined where the settings of the issuer say nothing about teams */
function teamsOf({ teams, teamsClaim }: OpenIdIssuer, claims: Claims): Set<string> | undefined {
  if (teams.length === 0 && teamsClaim === undefined) return undefined;
  const named = teamsClaim === undefined ? [] : namesOf(claimOf(claims, teamsClaim));
  return new Set([...teams, ...named]);
}

function runOf(claims: Claims): Record<string, string> {
  const found = Object.entries(RUN_CLAIMS).map(([name, candidates]) => {
    const values = candidates.map((candidate) => textOf(claimOf(claims, candidate)));
    return [name, values.find((value) => value)] as const;
  });
  return Object.fromEntries(
    [...found, ...kubernetesClaims(claims)].flatMap(([name, value]) =>
      value ? [[name, shown(value)]] : [],
    ),
  );
}

/** Of a projected service account token. */
function kubernetesClaims(claims: Claims): [string, string | undefined][] {
  const kubernetes = claimsOf(claimOf(claims, 'kubernetes.io')) ?? {};
  const nameIn = (field: string) => {
    const object = claimsOf(claimOf(kubernetes, field));
    return object && textOf(claimOf(object, 'name'));
  };
  return [
    ['namespace', textOf(claimOf(kubernetes, 'namespace'))],
    ['serviceaccount', nameIn('serviceaccount')],
    ['pod', nameIn('pod')],
  ];
}

/** PostgreSQL stores no NUL, and nobody wants line breaks in an audit trail. */
function shown(value: string): string {
  return value.slice(0, MAX_CLAIM_LENGTH).replaceAll(/[\p{Cc}\p{Cs}]/gu, '\uFFFD');
}
