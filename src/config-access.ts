import { resolve } from 'node:path';
import type { Setting } from './setting.ts';
import type { Values } from './settings.ts';
import { ACCESS_SETTINGS } from './settings-access.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/** Tokens of one OpenID Connect issuer. */
export interface OidcConfig {
  readonly issuer: string;
  readonly audience: string;
  readonly conditions: Readonly<Record<string, string>>;
  readonly uidClaim: string;
  readonly realm: 'employees' | 'services' | undefined;
  readonly realmClaim: string | undefined;
  readonly scopes: readonly string[];
  readonly scopesClaim: string | undefined;
  /** Undefined, and no `teamsClaim`: the other sources of teams are asked. */
  readonly teams: readonly string[] | undefined;
  readonly teamsClaim: string | undefined;
  readonly clockSkewSeconds: number;
}

/** Who may pull and push, and who is asked for that. */
export interface AccessConfig {
  /** False: nothing can tell who asks, so nothing is protected. */
  readonly isSecured: boolean;
  readonly tokeninfoUrl: URL | undefined;
  readonly introspection:
    | {
        readonly url: URL;
        readonly clientId: string;
        readonly clientSecret: string;
        readonly audience: string | undefined;
        /** Undefined: `username`, else `sub`. */
        readonly uidClaims: readonly string[] | undefined;
        readonly realmClaim: string;
        readonly teamsClaim: string | undefined;
      }
    | undefined;
  readonly oidc: OidcConfig | undefined;
  readonly oidcIssuersFile: string | undefined;
  readonly instanceIdentityUrl: URL | undefined;
  readonly teamServiceUrl: URL | undefined;
  readonly kioUrl: URL | undefined;
  readonly usernamePrefix: string | undefined;
  readonly teamsFile: string | undefined;
  readonly allowsPublicRead: boolean;
  readonly challenge: 'basic' | 'bearer';
  /** The first signs. Undefined: PostgreSQL keeps them. */
  readonly tokenKeys: readonly string[] | undefined;
}

export function isSecured(values: Partial<Values>): boolean {
  return [
    values.HTTP_TOKENINFO_URL,
    values.TOKENINFO_URL,
    values.HTTP_INTROSPECTION_URL,
    values.HTTP_OIDC_ISSUER,
    values.HTTP_OIDC_ISSUERS_FILE,
  ].some((value) => value !== undefined);
}

const IDENTITY = 'HTTP_TOKENINFO_URL, HTTP_INTROSPECTION_URL or HTTP_OIDC_ISSUER';

/** What only makes sense where something tells who asks. */
const NEEDS_IDENTITY = [
  'HTTP_TEAM_SERVICE_URL',
  'HTTP_KIO_URL',
  'TEAMS_FILE',
  'HTTP_IIDINFO_URL',
  'HTTP_AUTH_CHALLENGE',
  'HTTP_TOKEN_KEY',
] as const;

/** Settings of access control that are right each by itself, and wrong together. */
export function accessContradictions(values: Partial<Values>, environment: Environment): string[] {
  const problems = [
    ...introspectionProblems(values, environment),
    ...oidcProblems(values, environment),
  ];
  // A variable whose value can't be read is told of by itself.
  const isUnsecured =
    !isSecured(values) && !IDENTITY.split(/, | or /).some((name) => environment[name]);
  for (const name of NEEDS_IDENTITY) {
    if (isUnsecured && values[name] !== undefined) {
      problems.push(`${name} is set, but nothing tells who asks: set ${IDENTITY} too`);
    }
  }
  for (const name of ['HTTP_TOKENINFO_URL', 'TOKENINFO_URL'] as const) {
    if (values[name] && values.HTTP_INTROSPECTION_URL) {
      problems.push(`${name} and HTTP_INTROSPECTION_URL both check tokens: keep one of them`);
    }
  }
  if (values.HTTP_USERNAME_PREFIX !== undefined && values.HTTP_KIO_URL === undefined) {
    problems.push('HTTP_USERNAME_PREFIX is set without HTTP_KIO_URL, to which it belongs');
  }
  if (values.HTTP_ALLOW_PUBLIC_READ && values.HTTP_AUTH_CHALLENGE === 'basic') {
    problems.push(
      'HTTP_AUTH_CHALLENGE is basic, with which nobody can pull without credentials: unset it, or HTTP_ALLOW_PUBLIC_READ',
    );
  }
  if (environment['HTTP_MAGNIFICENT_URL'] && !knowsTeams(values)) {
    problems.push(
      'HTTP_MAGNIFICENT_URL is not supported: set HTTP_TEAM_SERVICE_URL, HTTP_KIO_URL, TEAMS_FILE or HTTP_OIDC_TEAMS_CLAIM to say who is in which team',
    );
  }
  return problems;
}

function knowsTeams(values: Partial<Values>): boolean {
  return [
    values.HTTP_TEAM_SERVICE_URL,
    values.HTTP_KIO_URL,
    values.TEAMS_FILE,
    values.HTTP_OIDC_TEAMS_CLAIM,
    values.HTTP_INTROSPECTION_TEAMS_CLAIM,
    values.HTTP_OIDC_ISSUERS_FILE,
  ].some((value) => value !== undefined);
}

function introspectionProblems(values: Partial<Values>, environment: Environment): string[] {
  if (values.HTTP_INTROSPECTION_URL === undefined) {
    return withoutUse(environment, 'HTTP_INTROSPECTION_', 'HTTP_INTROSPECTION_URL');
  }
  return (['HTTP_INTROSPECTION_CLIENT_ID', 'HTTP_INTROSPECTION_CLIENT_SECRET'] as const)
    .filter((name) => values[name] === undefined)
    .map(
      (name) => `${name} must be set with HTTP_INTROSPECTION_URL, which answers only whom it knows`,
    );
}

/** Variables that say something about what isn't there. */
function withoutUse(environment: Environment, prefix: string, url: string): string[] {
  if (environment[url] !== undefined) return [];
  return Object.entries<Setting<unknown>>(ACCESS_SETTINGS)
    .filter(([name, { fallback }]) => name.startsWith(prefix) && fallback === undefined)
    .map(([name]) => name)
    .filter((name) => environment[name] !== undefined && name !== 'HTTP_OIDC_ISSUERS_FILE')
    .map((name) => `${name} is set without ${url}, to which it belongs`);
}

function oidcProblems(values: Partial<Values>, environment: Environment): string[] {
  if (values.HTTP_OIDC_ISSUER === undefined) {
    return withoutUse(environment, 'HTTP_OIDC_', 'HTTP_OIDC_ISSUER');
  }
  const problems: string[] = [];
  if (values.HTTP_OIDC_AUDIENCE === undefined) {
    problems.push(
      'HTTP_OIDC_AUDIENCE must be set with HTTP_OIDC_ISSUER: the audience that tokens for this registry have',
    );
  }
  if (values.HTTP_OIDC_CONDITIONS === undefined) {
    problems.push(
      'HTTP_OIDC_CONDITIONS must be set with HTTP_OIDC_ISSUER, which may sign tokens for everyone on earth: name a claim of yours, as in repository_owner=acme',
    );
  }
  if (values.HTTP_OIDC_REALM !== undefined && values.HTTP_OIDC_REALM_CLAIM !== undefined) {
    problems.push('HTTP_OIDC_REALM and HTTP_OIDC_REALM_CLAIM both say the realm: keep one of them');
  }
  return problems;
}

/** What an operator should know, a sentence each. */
export function accessNotices(values: Values): string[] {
  const notices: string[] = [];
  if (!isSecured(values)) {
    if (values.HTTP_ALLOW_PUBLIC_READ) {
      notices.push(
        `HTTP_ALLOW_PUBLIC_READ does nothing: without ${IDENTITY} everyone may pull and push`,
      );
    }
    return notices;
  }
  if (!knowsTeams(values) && values.HTTP_OIDC_TEAMS.length === 0) {
    notices.push(
      'nothing tells who is in which team, so only services with the scope application.write_all may push: set HTTP_TEAM_SERVICE_URL, HTTP_KIO_URL or TEAMS_FILE',
    );
  }
  return notices;
}

export function toAccessConfig(values: Values): AccessConfig {
  return {
    isSecured: isSecured(values),
    tokeninfoUrl: values.HTTP_TOKENINFO_URL ?? values.TOKENINFO_URL,
    introspection: introspectionOf(values),
    oidc: oidcOf(values),
    oidcIssuersFile: pathOf(values.HTTP_OIDC_ISSUERS_FILE),
    instanceIdentityUrl: values.HTTP_IIDINFO_URL,
    teamServiceUrl: values.HTTP_TEAM_SERVICE_URL,
    kioUrl: values.HTTP_KIO_URL,
    usernamePrefix: values.HTTP_USERNAME_PREFIX,
    teamsFile: pathOf(values.TEAMS_FILE),
    allowsPublicRead: values.HTTP_ALLOW_PUBLIC_READ,
    challenge: values.HTTP_AUTH_CHALLENGE ?? (values.HTTP_ALLOW_PUBLIC_READ ? 'bearer' : 'basic'),
    tokenKeys: values.HTTP_TOKEN_KEY,
  };
}

function pathOf(file: string | undefined): string | undefined {
  return file === undefined ? undefined : resolve(file);
}

function introspectionOf(values: Values): AccessConfig['introspection'] {
  const {
    HTTP_INTROSPECTION_URL: url,
    HTTP_INTROSPECTION_CLIENT_ID: clientId,
    HTTP_INTROSPECTION_CLIENT_SECRET: clientSecret,
  } = values;
  if (url === undefined || clientId === undefined || clientSecret === undefined) return undefined;
  const uidClaim = values.HTTP_INTROSPECTION_UID_CLAIM;
  return {
    url,
    clientId,
    clientSecret,
    audience: values.HTTP_INTROSPECTION_AUDIENCE,
    uidClaims: uidClaim === undefined ? undefined : [uidClaim],
    realmClaim: values.HTTP_INTROSPECTION_REALM_CLAIM,
    teamsClaim: values.HTTP_INTROSPECTION_TEAMS_CLAIM,
  };
}

function oidcOf(values: Values): OidcConfig | undefined {
  const {
    HTTP_OIDC_ISSUER: issuer,
    HTTP_OIDC_AUDIENCE: audience,
    HTTP_OIDC_CONDITIONS: conditions,
  } = values;
  if (issuer === undefined || audience === undefined || conditions === undefined) return undefined;
  return {
    issuer,
    audience,
    conditions,
    uidClaim: values.HTTP_OIDC_UID_CLAIM,
    realm: values.HTTP_OIDC_REALM,
    realmClaim: values.HTTP_OIDC_REALM_CLAIM,
    scopes: values.HTTP_OIDC_SCOPES,
    scopesClaim: values.HTTP_OIDC_SCOPES_CLAIM,
    teams: values.HTTP_OIDC_TEAMS.length === 0 ? undefined : values.HTTP_OIDC_TEAMS,
    teamsClaim: values.HTTP_OIDC_TEAMS_CLAIM,
    clockSkewSeconds: values.HTTP_OIDC_CLOCK_SKEW,
  };
}
