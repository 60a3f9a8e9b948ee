import { describe, expect, test } from 'vitest';
import type { Identity } from '../../../src/auth/identity.ts';
import type { TeamSource } from '../../../src/auth/team-source.ts';
import { Teams } from '../../../src/auth/teams.ts';
import type { Principal } from '../../../src/oci/principal.ts';

const MINUTE_MS = 60_000;

function identityOf(principal: Partial<Principal>, rest: Partial<Identity> = {}): Identity {
  return { principal: { uid: 'alice', ...principal }, kind: 'oauth', scopes: new Set(), ...rest };
}

const ALICE = identityOf({ realm: 'employees' });

/** Knows those in a table that the test changes; `down` while it has to fail. */
class Source implements TeamSource {
  readonly known = new Map<string, readonly string[]>();
  readonly tokens: string[] = [];
  isDown = false;

  constructor(known: Readonly<Record<string, readonly string[]>> = {}) {
    for (const [uid, teams] of Object.entries(known)) this.known.set(uid, teams);
  }

  async teamsOf({ principal }: Identity, token: string) {
    this.tokens.push(token);
    await Promise.resolve();
    if (this.isDown) throw new Error('down');
    const teams = this.known.get(principal.uid);
    return teams && new Set(teams);
  }
}

function teamsOf(local: readonly Source[], remote: readonly Source[], maxEntries = 100) {
  const clock = { ms: 0 };
  return { clock, teams: new Teams({ local, remote }, { maxEntries, now: () => clock.ms }) };
}

describe('who is asked', () => {
  test('nobody when the token names teams, even when it names none', async () => {
    const source = new Source({ alice: ['acme'] });
    const { teams } = teamsOf([source], [source]);
    expect(await teams.teamsOf(identityOf({}, { teams: new Set(['web']) }), 't')).toEqual(
      new Set(['web']),
    );
    expect(await teams.teamsOf(identityOf({}, { teams: new Set() }), 't')).toEqual(new Set());
    expect(source.tokens).toEqual([]);
  });

  test('nobody about a machine: it is in no team', async () => {
    const source = new Source({ alice: ['acme'] });
    const { teams } = teamsOf([source], [source]);
    expect(await teams.teamsOf(identityOf({}, { kind: 'instance' }), 't')).toEqual(new Set());
    expect(source.tokens).toEqual([]);
  });

  test('the first one that knows the principal, what is local before the others', async () => {
    const file = new Source({ alice: ['file'] });
    const services = new Source({ robot: ['kio'] });
    const people = new Source({ alice: ['people'], robot: ['people'], bob: ['people'] });
    const { teams } = teamsOf([file], [services, people]);
    const ask = (uid: string) => teams.teamsOf(identityOf({ uid }), 't');
    expect(await ask('alice')).toEqual(new Set(['file']));
    expect(await ask('robot')).toEqual(new Set(['kio']));
    expect(await ask('bob')).toEqual(new Set(['people']));
    expect(await ask('nobody')).toEqual(new Set());
  });

  test('no other one after a source that knows the principal to be in no team', async () => {
    const first = new Source({ alice: [] });
    const second = new Source({ alice: ['acme'] });
    const { teams } = teamsOf([], [first, second]);
    expect(await teams.teamsOf(ALICE, 't')).toEqual(new Set());
    expect(second.tokens).toEqual([]);
  });

  test('no other one after a source that is down', async () => {
    const first = new Source({ alice: ['acme'] });
    first.isDown = true;
    const { teams } = teamsOf([], [first, new Source({ alice: ['web'] })]);
    await expect(teams.teamsOf(ALICE, 't')).rejects.toThrow('down');
  });

  test('nobody without sources, and that is told', async () => {
    const { teams } = teamsOf([], []);
    expect(await teams.teamsOf(ALICE, 't')).toEqual(new Set());
    expect(teams.hasSource).toBe(false);
    expect(teamsOf([new Source()], []).teams.hasSource).toBe(true);
    expect(teamsOf([], [new Source()]).teams.hasSource).toBe(true);
  });
});

describe('what is remembered', () => {
  test('teams, for five minutes', async () => {
    const source = new Source({ alice: ['acme'] });
    const { clock, teams } = teamsOf([], [source]);
    await teams.teamsOf(ALICE, 't');
    source.known.set('alice', ['web']);
    clock.ms = 5 * MINUTE_MS - 1;
    expect(await teams.teamsOf(ALICE, 't')).toEqual(new Set(['acme']));
    clock.ms = 5 * MINUTE_MS;
    expect(await teams.teamsOf(ALICE, 't')).toEqual(new Set(['web']));
    expect(source.tokens).toHaveLength(2);
  });

  test('that there are none, for half a minute', async () => {
    const source = new Source({ alice: [] });
    const { clock, teams } = teamsOf([], [source]);
    await teams.teamsOf(ALICE, 't');
    source.known.set('alice', ['acme']);
    clock.ms = MINUTE_MS / 2 - 1;
    expect(await teams.teamsOf(ALICE, 't')).toEqual(new Set());
    clock.ms = MINUTE_MS / 2;
    expect(await teams.teamsOf(ALICE, 't')).toEqual(new Set(['acme']));
  });

  test('nothing of a local source, which is asked each time', async () => {
    const file = new Source({ alice: ['acme'] });
    const { teams } = teamsOf([file], []);
    await teams.teamsOf(ALICE, 't');
    file.known.delete('alice');
    expect(await teams.teamsOf(ALICE, 't')).toEqual(new Set());
  });

  test('no failure', async () => {
    const source = new Source({ alice: ['acme'] });
    source.isDown = true;
    const { teams } = teamsOf([], [source]);
    await expect(teams.teamsOf(ALICE, 't')).rejects.toThrow('down');
    source.isDown = false;
    expect(await teams.teamsOf(ALICE, 't')).toEqual(new Set(['acme']));
  });

  test('what is remembered serves while the source is down, and not a moment longer', async () => {
    const source = new Source({ alice: ['acme'] });
    const { clock, teams } = teamsOf([], [source]);
    await teams.teamsOf(ALICE, 't');
    source.isDown = true;
    clock.ms = 5 * MINUTE_MS - 1;
    expect(await teams.teamsOf(ALICE, 't')).toEqual(new Set(['acme']));
    clock.ms = 5 * MINUTE_MS;
    await expect(teams.teamsOf(ALICE, 't')).rejects.toThrow('down');
    await expect(teams.teamsOf(ALICE, 't')).rejects.toThrow('down');
  });

  test('for a principal, whatever the token', async () => {
    const source = new Source({ alice: ['acme'] });
    const { teams } = teamsOf([], [source]);
    await Promise.all([teams.teamsOf(ALICE, 't1'), teams.teamsOf(ALICE, 't2')]);
    await teams.teamsOf(ALICE, 't3');
    expect(source.tokens).toEqual(['t1']);
  });

  test.each<[string, Partial<Principal>]>([
    ['another uid', { uid: 'bob' }],
    ['another realm', { realm: 'services' }],
    ['no realm', { realm: undefined }],
    ['an issuer', { issuer: 'https://ci.example.org' }],
  ])('not for %s', async (_, other) => {
    const source = new Source({ alice: ['acme'], bob: ['web'] });
    const { teams } = teamsOf([], [source]);
    await teams.teamsOf(ALICE, 't1');
    await teams.teamsOf(identityOf({ realm: 'employees', ...other }), 't2');
    expect(source.tokens).toEqual(['t1', 't2']);
  });

  test('no more principals than the limit', async () => {
    const source = new Source({ a: ['acme'], b: ['acme'], c: ['acme'] });
    const { teams } = teamsOf([], [source], 2);
    for (const uid of ['a', 'b', 'c', 'a']) await teams.teamsOf(identityOf({ uid }), uid);
    expect(source.tokens).toEqual(['a', 'b', 'c', 'a']);
  });
});
