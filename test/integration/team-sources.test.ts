import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type Identity, IdentityUnavailable } from '../../src/auth/identity.ts';
import { KioSource } from '../../src/auth/kio.ts';
import { TeamServiceSource } from '../../src/auth/team-service.ts';
import type { TeamSource } from '../../src/auth/team-source.ts';
import { Teams } from '../../src/auth/teams.ts';
import type { Principal } from '../../src/oci/principal.ts';
import { type IdentityProvider, startIdentityProvider } from '../support/identity-provider.ts';
import { PROVIDER_FAULTS } from '../support/identity-provider-faults.ts';
import { leaksOf } from '../support/secrecy.ts';

let provider: IdentityProvider;

beforeAll(async () => {
  provider = await startIdentityProvider();
  provider.addEmployee({ uid: 'alice', teams: ['acme', 'shop'] });
  provider.addService({ uid: 'stups_robot', team: 'acme' });
  provider.addService({ uid: 'stups_old', team: 'acme', isActive: false });
});
beforeEach(async () => {
  await provider.comeBack();
  provider.mend();
  provider.clear();
});
afterAll(() => provider.close());

const base = (path = '') => new URL(`${provider.issuer}${path}`);
const people = (options = {}) => new TeamServiceSource({ url: base(), ...options });
const kio = (usernamePrefix?: string) => new KioSource({ url: base(), usernamePrefix });

const EMPLOYEE: Principal = { uid: 'alice', realm: 'employees' };
const ROBOT: Principal = { uid: 'stups_robot', realm: 'services' };

function identityOf(principal: Principal): Identity {
  return { principal, kind: 'oauth', scopes: new Set() };
}

function ask(source: TeamSource, principal: Principal, token = provider.issueToken('alice')) {
  return source.teamsOf(identityOf(principal), token);
}

async function failureOf(answer: Promise<unknown>): Promise<IdentityUnavailable> {
  const error: unknown = await answer.then(
    () => 'an answer',
    (reason: unknown) => reason,
  );
  if (error instanceof IdentityUnavailable) return error;
  throw new Error('expected that it is unavailable', { cause: error });
}

const answer = (status: number, body: unknown) =>
  ({ kind: 'answer', status, body: JSON.stringify(body) }) as const;

describe('the team service', () => {
  test('names the teams of an employee, asked with the employee’s token', async () => {
    const token = provider.issueToken('alice');
    expect(await ask(people(), EMPLOYEE, token)).toEqual(new Set(['acme', 'shop']));
    expect(provider.requests()).toMatchObject([
      {
        method: 'GET',
        target: '/api/accounts/aws?member=alice',
        headers: { authorization: `Bearer ${token}` },
      },
    ]);
  });

  test('knows an employee without teams', async () => {
    expect(await ask(people(), { uid: 'nobody', realm: 'employees' })).toEqual(new Set());
  });

  test.each([
    ['services', ROBOT],
    ['those without a realm', { uid: 'alice' }],
    ['another realm', { uid: 'alice', realm: 'customers' }],
    ['those of an issuer', { ...EMPLOYEE, issuer: 'https://ci.example.org' }],
  ])('is not asked about %s', async (_, principal) => {
    expect(await ask(people(), principal)).toBeUndefined();
    expect(provider.count()).toBe(0);
  });

  test('is asked about services where it knows them', async () => {
    const source = people({ knowsServices: true });
    expect(await ask(source, ROBOT)).toEqual(new Set(['acme']));
    expect(await ask(source, EMPLOYEE)).toEqual(new Set(['acme', 'shop']));
    expect(await ask(source, { ...ROBOT, issuer: 'https://ci.example.org' })).toBeUndefined();
  });

  test('may name teams that cannot be: they are left out, as is what is too much', async () => {
    const many = Array.from({ length: 2000 }, (_, n) => `team-${n}`);
    provider.addEmployee({ uid: 'bob', teams: ['acme', 'a\0b', 'x'.repeat(3000), ...many] });
    const teams = await ask(people(), { uid: 'bob', realm: 'employees' });
    expect([...(teams ?? [])].slice(0, 2)).toEqual(['acme', 'team-0']);
    expect(teams?.size).toBe(1000);
  });

  test.each(['a&member=alice', '../../x?y#z', 'jürgen o’neill', 'a+b%20c', '=;\r\nx: y'])(
    'gets the uid %j as it is',
    async (uid) => {
      provider.addEmployee({ uid, teams: ['odd'] });
      expect(await ask(people(), { uid, realm: 'employees' })).toEqual(new Set(['odd']));
      const url = new URL(provider.requests()[0]?.target ?? '', provider.issuer);
      expect([url.pathname, ...url.searchParams]).toEqual(['/api/accounts/aws', ['member', uid]]);
    },
  );

  test.each(['', '/', '/below', '/below/', '/below//'])(
    'is below the URL, which ends in %j',
    async (path) => {
      const source = new TeamServiceSource({ url: base(path) });
      await ask(source, EMPLOYEE).catch(() => undefined);
      const below = path.replace(/\/+$/, '');
      expect(provider.requests()[0]?.target).toBe(`${below}/api/accounts/aws?member=alice`);
    },
  );

  test.each<[string, unknown, string[]]>([
    [
      'accounts with names',
      [
        { name: 'a', id: '1' },
        { name: 'b', x: {} },
      ],
      ['a', 'b'],
    ],
    ['accounts with ids alone', [{ id: 'a' }, { id: 'b', name: null }], ['a', 'b']],
    ['names', ['a', 'b', 'a'], ['a', 'b']],
    ['nothing', [], []],
  ])('may answer with %s', async (_, body, teams) => {
    provider.plan('teams', answer(200, body));
    expect(await ask(people(), EMPLOYEE)).toEqual(new Set(teams));
  });

  test('says 404 for whom it doesn’t know', async () => {
    provider.plan('teams', answer(404, {}));
    expect(await ask(people(), EMPLOYEE)).toEqual(new Set());
  });

  test.each<[string, unknown]>([
    ['an object', { name: 'acme' }],
    ['an account without name', [{ name: 'acme' }, {}]],
    ['an empty name', ['']],
    ['numbers', [7]],
    ['lists', [['acme']]],
  ])('isn’t believed when it answers with %s', async (_, body) => {
    provider.plan('teams', answer(200, body));
    const error = await failureOf(ask(people(), EMPLOYEE));
    expect(error.message).toBe('HTTP_TEAM_SERVICE_URL: it answers with no list of teams');
  });
});

describe('Kio', () => {
  test('names the team of a service, asked with the service’s token', async () => {
    const token = provider.issueToken('stups_robot');
    expect(await ask(kio(), ROBOT, token)).toEqual(new Set(['acme']));
    expect(provider.requests()).toMatchObject([
      { method: 'GET', target: '/apps/robot', headers: { authorization: `Bearer ${token}` } },
    ]);
  });

  test('knows no team of an unknown application, and none of an inactive one', async () => {
    expect(await ask(kio(), { uid: 'stups_unknown', realm: 'services' })).toEqual(new Set());
    expect(await ask(kio(), { uid: 'stups_old', realm: 'services' })).toEqual(new Set());
    expect(provider.count('applications')).toBe(2);
  });

  test.each([
    ['employees', EMPLOYEE],
    ['those without a realm', { uid: 'stups_robot' }],
    ['those of an issuer', { ...ROBOT, issuer: 'https://ci.example.org' }],
  ])('is not asked about %s', async (_, principal) => {
    expect(await ask(kio(), principal)).toBeUndefined();
    expect(provider.count()).toBe(0);
  });

  test.each<[string, string | undefined, string]>([
    ['stups_robot', undefined, '/apps/robot'],
    ['a_b_robot-2', undefined, '/apps/robot-2'],
    ['robot', undefined, '/apps/robot'],
    ['stups_robot', 'stups_', '/apps/robot'],
    ['stups_my_robot', 'stups_', '/apps/my_robot'],
    ['stups_robot.v1', '', '/apps/stups_robot.v1'],
  ])('knows %j with the prefix %j as %s', async (uid, prefix, target) => {
    await ask(kio(prefix), { uid, realm: 'services' });
    expect(provider.requests().map((request) => request.target)).toEqual([target]);
  });

  test.each([
    ['x_../teams', undefined],
    ['x_..', undefined],
    ['x_.', undefined],
    ['x_', undefined],
    ['x_%2e%2e%2fteams', undefined],
    ['x_robot/../other', undefined],
    ['x_robot?x=1', undefined],
    ['x_robot#', undefined],
    ['x_robot\\..', undefined],
    ['x_robot\n', undefined],
    [`x_${'a'.repeat(300)}`, undefined],
    ['other_robot', 'stups_'],
    ['stups_', 'stups_'],
    ['stups_../robot', 'stups_'],
  ])('is not asked about %j with the prefix %j, which no application has', async (uid, prefix) => {
    expect(await ask(kio(prefix), { uid, realm: 'services' })).toEqual(new Set());
    expect(provider.count()).toBe(0);
  });

  test.each<[string, unknown]>([
    ['a list', []],
    ['no team', { id: 'robot' }],
    ['an empty team', { team_id: '' }],
    ['something between active and not', { team_id: 'acme', active: 'no' }],
  ])('isn’t believed when it answers with %s', async (_, body) => {
    provider.plan('applications', answer(200, body));
    const error = await failureOf(ask(kio(), ROBOT));
    expect(error.message).toBe('HTTP_KIO_URL: it answers with no application');
  });
});

describe('a source that can’t tell: it is never "no teams", and nothing is said of token and URL', () => {
  const sources = {
    HTTP_TEAM_SERVICE_URL: { open: people, endpoint: 'teams', principal: EMPLOYEE },
    HTTP_KIO_URL: { open: () => kio(), endpoint: 'applications', principal: ROBOT },
  } as const;

  describe.each(Object.entries(sources))('%s', (setting, { open, endpoint, principal }) => {
    const expectUnavailable = async (source: TeamSource, token: string) => {
      const error = await failureOf(ask(source, principal, token));
      expect(error.setting).toBe(setting);
      expect(leaksOf(token, error)).toEqual([]);
      expect(leaksOf(provider.issuer, error)).toEqual([]);
      return error;
    };

    test.each(Object.entries(PROVIDER_FAULTS))('%s', async (_, fault) => {
      provider.plan(endpoint, fault);
      await expectUnavailable(open(), provider.issueToken('alice'));
      // Wherever a redirect leads, the token doesn't follow.
      expect(provider.count()).toBe(1);
    });

    test('is down, and comes back', async () => {
      const source = open();
      await provider.vanish();
      const token = provider.issueToken('alice');
      expect((await expectUnavailable(source, token)).message).toContain('no answer (');
      await provider.comeBack();
      expect(await ask(source, principal, token)).toContain('acme');
    });

    test('refuses the token, and says so', async () => {
      const error = await expectUnavailable(open(), 'revoked+token/=');
      expect(error.message).toMatch(/it refuses the token .*\(status 401\)/);
    });

    test.each([204, 301, 400, 403, 410])('answers with status %i', async (status) => {
      provider.plan(endpoint, { kind: 'answer', status, body: '' });
      const error = await expectUnavailable(open(), provider.issueToken('alice'));
      expect(error.message).toContain(`status ${status}`);
    });
  });
});

describe('together', () => {
  test('a thousand questions about two principals with many tokens are two requests', async () => {
    const teams = new Teams({ local: [], remote: [kio(), people()] });
    const tokens = Array.from({ length: 10 }, () => provider.issueToken('alice'));
    for (let round = 0; round < 10; round += 1) {
      const round100 = tokens.flatMap((token) =>
        [EMPLOYEE, ROBOT, EMPLOYEE, ROBOT, EMPLOYEE].flatMap((principal) => [
          teams.teamsOf(identityOf(principal), token),
          teams.teamsOf(identityOf(principal), token),
        ]),
      );
      expect(await Promise.all(round100)).toContainEqual(new Set(['acme', 'shop']));
    }
    expect(provider.count('teams')).toBe(1);
    expect(provider.count('applications')).toBe(1);
  });

  test('those who wait for a source that fails fail together, and the next one asks again', async () => {
    const teams = new Teams({ local: [], remote: [people()] });
    provider.plan('teams', answer(503, {}), 1);
    const ask20 = () =>
      Promise.allSettled(
        Array.from({ length: 20 }, () =>
          teams.teamsOf(identityOf(EMPLOYEE), provider.issueToken('alice')),
        ),
      );
    expect(new Set((await ask20()).map(({ status }) => status))).toEqual(new Set(['rejected']));
    expect(new Set((await ask20()).map(({ status }) => status))).toEqual(new Set(['fulfilled']));
    expect(provider.count('teams')).toBe(2);
  });
});
