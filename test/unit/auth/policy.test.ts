import { describe, expect, test } from 'vitest';
import type { Identity } from '../../../src/auth/identity.ts';
import { type Decision, decide, needsTeams } from '../../../src/auth/policy.ts';
import {
  ACCESS_TABLE,
  ACTIONS,
  ASKERS,
  type Asker,
  SITUATIONS,
} from '../../support/access-table.ts';

const STATUS = { UNAUTHORIZED: '401', DENIED: '403' };

function identityOf({ kind, realm, scopes = [] }: Asker): Identity | undefined {
  if (kind === 'anonymous') return undefined;
  return { kind, principal: { uid: 'alice', realm }, scopes: new Set(scopes) };
}

function statusOf(decision: Decision): string {
  return decision.isAllowed ? 'ok' : STATUS[decision.code];
}

const cases = ACCESS_TABLE.flatMap(([asker, situation, ...expected]) =>
  ACTIONS.map((action, n) => ({ asker, situation, ...action, expected: expected[n] })),
);

test.each(cases)('$asker, $situation: $action to $team is $expected', (row) => {
  const asker: Asker = ASKERS[row.asker];
  const identity = identityOf(asker);
  const settings = { isSecured: true, ...SITUATIONS[row.situation] };
  const isAsked = settings.knowsTeams && identity !== undefined && needsTeams(identity, settings);
  const teams = new Set(asker.isInTeam && isAsked ? ['acme'] : []);
  const decision = decide({ ...row, identity, teams }, settings);
  expect(statusOf(decision)).toBe(row.expected);
  expect(decide({ ...row, identity, teams }, { ...settings, isSecured: false }).isAllowed).toBe(
    true,
  );
});

describe('a refusal says what is missing', () => {
  const settings = { isSecured: true, ...SITUATIONS.closed };
  const reasonFor = (
    asker: Asker,
    teams: string[],
    action: 'push' | 'push-with-source' = 'push',
  ) => {
    const question = { action, team: 'acme', identity: identityOf(asker), teams: new Set(teams) };
    const decision = decide(question, settings);
    return decision.isAllowed ? 'allowed' : decision.reason;
  };
  const service = { kind: 'oauth', realm: 'services' } as const;
  const employee = { kind: 'oauth', realm: 'employees' } as const;

  test('the team, and those that there are', () => {
    expect(reasonFor(employee, ['zebra', 'apple'])).toBe(
      "alice is not in the team acme, which is the first part of the repository's name: push to one of apple, zebra",
    );
    expect(reasonFor(employee, [])).toMatch(/team acme.*it is in no team$/);
  });

  test('the scope', () => {
    expect(reasonFor(service, ['acme'])).toMatch(/application\.write .*application\.write_all:/);
    expect(reasonFor(service, ['acme'], 'push-with-source')).toContain(
      'application.write_all_trusted',
    );
  });

  test('the realm', () => {
    expect(reasonFor({ kind: 'oauth', realm: 'customers' }, [])).toContain('realm customers');
    expect(reasonFor({ kind: 'oauth' }, [])).toContain('in no realm');
  });

  test('another kind of credential', () => {
    expect(reasonFor({ kind: 'instance' }, [])).toContain('OAuth 2 token');
    expect(reasonFor({ kind: 'anonymous' }, [])).toContain('docker login');
  });
});
