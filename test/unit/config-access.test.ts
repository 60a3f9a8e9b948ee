import { describe, expect, test } from 'vitest';
import { ConfigError, readConfig } from '../../src/config.ts';

type Environment = Readonly<Record<string, string>>;

const URL_OF_IDENTITY = 'https://identity.example.org/tokeninfo';
const SECURED = { HTTP_TOKENINFO_URL: URL_OF_IDENTITY };
const OIDC = {
  HTTP_OIDC_ISSUER: 'https://token.actions.githubusercontent.com',
  HTTP_OIDC_AUDIENCE: 'https://pierone.example.org',
  HTTP_OIDC_CONDITIONS: 'repository_owner=acme,ref=refs/heads/*',
};

function problemsOf(environment: Environment): readonly string[] {
  try {
    readConfig(environment);
    return [];
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
}

test('nothing set: nothing is protected', () => {
  expect(readConfig({}).access).toMatchObject({ isSecured: false, challenge: 'basic' });
});

test.each<[string, Environment]>([
  ['HTTP_TOKENINFO_URL', SECURED],
  ['TOKENINFO_URL', { TOKENINFO_URL: URL_OF_IDENTITY }],
  [
    'introspection',
    {
      HTTP_INTROSPECTION_URL: URL_OF_IDENTITY,
      HTTP_INTROSPECTION_CLIENT_ID: 'pierone',
      HTTP_INTROSPECTION_CLIENT_SECRET: 's',
    },
  ],
  ['OpenID Connect', OIDC],
  ['a file of issuers', { HTTP_OIDC_ISSUERS_FILE: 'issuers.json' }],
])('%s protects the registry, which may listen anywhere then', (_, environment) => {
  const { access } = readConfig({ ...environment, HTTP_HOST: '0.0.0.0' });
  expect(access.isSecured).toBe(true);
});

test('without any of them, others than this machine are let in only when that is said', () => {
  expect(problemsOf({ HTTP_HOST: '0.0.0.0' })).toEqual([
    expect.stringMatching(/^HTTP_HOST is 0\.0\.0\.0.*HTTP_TOKENINFO_URL.*HTTP_ALLOW_UNPROTECTED/),
  ]);
  expect(problemsOf({ HTTP_HOST: '0.0.0.0', HTTP_ALLOW_UNPROTECTED: 'true' })).toEqual([]);
  expect(problemsOf({ HTTP_HOST: '0.0.0.0', HTTP_TOKENINFO_URL: '' })).toHaveLength(2);
});

describe('OpenID Connect', () => {
  test('an issuer comes with audience and condition', () => {
    expect(readConfig(OIDC).access.oidc).toMatchObject({
      issuer: 'https://token.actions.githubusercontent.com',
      conditions: { repository_owner: 'acme', ref: 'refs/heads/*' },
      uidClaim: 'sub',
    });
    const { HTTP_OIDC_ISSUER } = OIDC;
    expect(problemsOf({ HTTP_OIDC_ISSUER })).toEqual([
      expect.stringMatching(/^HTTP_OIDC_AUDIENCE must be set/),
      expect.stringMatching(/^HTTP_OIDC_CONDITIONS must be set.*everyone on earth/),
    ]);
  });

  test.each([
    '',
    'repository_owner',
    '=acme',
    'repository_owner=',
    'a=b,,c=d',
    'a=*',
    'a=b,a=c',
    'iss=x',
  ])('the condition "%s" is none', (conditions) => {
    expect(problemsOf({ ...OIDC, HTTP_OIDC_CONDITIONS: conditions })).toContainEqual(
      expect.stringMatching(/^HTTP_OIDC_CONDITIONS must be ./),
    );
  });

  test.each(['https://keycloak.example.org/realms/acme', 'https://tenant.auth.example.org/'])(
    'the issuer %s is kept as it is written',
    (issuer) => {
      expect(readConfig({ ...OIDC, HTTP_OIDC_ISSUER: issuer }).access.oidc?.issuer).toBe(issuer);
    },
  );
});

test.each([
  ['HTTP_TEAM_SERVICE_URL', 'https://teams.example.org'],
  ['HTTP_KIO_URL', 'https://kio.example.org'],
  ['TEAMS_FILE', 'teams.json'],
  ['HTTP_IIDINFO_URL', 'https://iid.example.org'],
  ['HTTP_AUTH_CHALLENGE', 'bearer'],
  ['HTTP_TOKEN_KEY', 'k'.repeat(32)],
])('%s alone would protect nothing, which is said', (name, value) => {
  expect(problemsOf({ [name]: value })).toEqual([
    expect.stringMatching(new RegExp(`^${name} is set, but nothing tells who asks`)),
  ]);
  expect(problemsOf({ ...SECURED, [name]: value })).toEqual([]);
});

test.each(['HTTP_TOKENINFO_URL', 'TOKENINFO_URL'])(
  '%s and introspection exclude each other',
  (name) => {
    const introspection = {
      HTTP_INTROSPECTION_URL: URL_OF_IDENTITY,
      HTTP_INTROSPECTION_CLIENT_ID: 'pierone',
      HTTP_INTROSPECTION_CLIENT_SECRET: 's',
    };
    expect(problemsOf({ ...introspection, [name]: URL_OF_IDENTITY })).toEqual([
      expect.stringMatching(new RegExp(`^${name} and HTTP_INTROSPECTION_URL .* keep one`)),
    ]);
  },
);

describe('secrets that sign registry tokens', () => {
  const OLD = 'an old secret of thirty-two chars';
  const NEW = 'a new secret of thirty-two charss';

  test('are one or two, separated by a comma', () => {
    const read = (keys: string) =>
      readConfig({ ...SECURED, HTTP_TOKEN_KEY: keys }).access.tokenKeys;
    expect(read(OLD)).toEqual([OLD]);
    expect(read(` ${NEW} , ${OLD}`)).toEqual([NEW, OLD]);
  });

  test.each([
    ['a short one', 'x'.repeat(31)],
    ['a short one behind a good one', `${NEW},short`],
    ['a comma too many', `${NEW},`],
    ['three', `${NEW},${OLD},${OLD}`],
  ])('are refused without being shown: %s', (_, keys) => {
    const problems = problemsOf({ ...SECURED, HTTP_TOKEN_KEY: keys });
    expect(problems).toEqual([expect.stringMatching(/^HTTP_TOKEN_KEY must be one or two secrets/)]);
    for (const key of keys.split(',').filter((one) => one !== '')) {
      expect(problems.join()).not.toContain(key);
    }
  });
});

test("the original's last way to know teams is refused, unless another one is set", () => {
  const magnificent = { ...SECURED, HTTP_MAGNIFICENT_URL: 'https://magnificent.example.org' };
  expect(problemsOf(magnificent)).toEqual([
    expect.stringMatching(/HTTP_TEAM_SERVICE_URL.*HTTP_KIO_URL.*TEAMS_FILE/),
  ]);
  expect(problemsOf({ ...magnificent, TEAMS_FILE: 'teams.json' })).toEqual([]);
});

test('public read asks for the bearer challenge, and refuses the basic one', () => {
  const open = { ...SECURED, HTTP_ALLOW_PUBLIC_READ: 'true' };
  expect(readConfig(open).access.challenge).toBe('bearer');
  expect(problemsOf({ ...open, HTTP_AUTH_CHALLENGE: 'basic' })).toEqual([
    expect.stringMatching(/^HTTP_AUTH_CHALLENGE is basic/),
  ]);
});

test.each<[string, Environment]>([
  [
    'HTTP_INTROSPECTION_CLIENT_ID',
    { HTTP_INTROSPECTION_URL: URL_OF_IDENTITY, HTTP_INTROSPECTION_CLIENT_SECRET: 's' },
  ],
  [
    'HTTP_INTROSPECTION_CLIENT_SECRET',
    { HTTP_INTROSPECTION_URL: URL_OF_IDENTITY, HTTP_INTROSPECTION_CLIENT_ID: 'p' },
  ],
  ['HTTP_USERNAME_PREFIX', { ...SECURED, HTTP_USERNAME_PREFIX: 'stups_' }],
  ['HTTP_OIDC_REALM', { ...OIDC, HTTP_OIDC_REALM: 'services', HTTP_OIDC_REALM_CLAIM: 'realm' }],
  ['HTTP_TOKEN_KEY', { ...SECURED, HTTP_TOKEN_KEY: 'too-short' }],
  ['HTTP_OIDC_CONDITIONS', { HTTP_OIDC_CONDITIONS: 'a=b' }],
  ['HTTP_OIDC_REALM', { ...SECURED, HTTP_OIDC_REALM: 'services' }],
  ['HTTP_INTROSPECTION_CLIENT_ID', { ...SECURED, HTTP_INTROSPECTION_CLIENT_ID: 'p' }],
])('what is missing or contradicts is told of by name: %s', (name, environment) => {
  expect(problemsOf(environment)).toEqual([expect.stringMatching(new RegExp(`^${name} `))]);
});

test('who may not push for want of teams is said at the start', () => {
  expect(readConfig(SECURED).notices).toEqual([expect.stringContaining('application.write_all')]);
  expect(readConfig({ ...SECURED, TEAMS_FILE: 'teams.json' }).notices).toEqual([]);
  expect(readConfig({ HTTP_ALLOW_PUBLIC_READ: 'true' }).notices).toEqual([
    expect.stringMatching(/^HTTP_ALLOW_PUBLIC_READ does nothing/),
  ]);
});
