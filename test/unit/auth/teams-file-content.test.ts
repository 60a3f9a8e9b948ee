import { readFile } from 'node:fs/promises';
import { describe, expect, test } from 'vitest';
import { parseTeams, principalKey } from '../../../src/auth/teams-file-content.ts';
import type { Principal } from '../../../src/oci/principal.ts';

const FILE = '/etc/pierone/teams.json';
const GITHUB = 'https://token.actions.githubusercontent.com';
const CI = 'repo:acme/app:ref:refs/heads/main';

const CONTENT = {
  teams: {
    acme: { members: ['alice', { uid: CI, issuer: GITHUB }], services: ['robot'] },
    'ac-me.web_1': { members: ['alice'] },
    constructor: { services: [{ uid: 'builder', issuer: 'https://ci.example.org/' }] },
    empty: {},
  },
};

describe('whom the file names', () => {
  const teams = parseTeams(FILE, JSON.stringify(CONTENT));

  test.each<[string, Principal, string[] | undefined]>([
    ['a member, in all teams', { uid: 'alice' }, ['acme', 'ac-me.web_1']],
    ['an employee', { uid: 'alice', realm: 'employees' }, ['acme', 'ac-me.web_1']],
    ['no service with a member’s uid', { uid: 'alice', realm: 'services' }, undefined],
    ['nobody of another issuer by the uid alone', { uid: 'alice', issuer: GITHUB }, undefined],
    ['a subject of an issuer', { uid: CI, issuer: GITHUB }, ['acme']],
    ['not the subject without the issuer', { uid: CI }, undefined],
    ['not the subject of another issuer', { uid: CI, issuer: `${GITHUB}/` }, undefined],
    ['a service', { uid: 'robot', realm: 'services' }, ['acme']],
    ['no employee with a service’s uid', { uid: 'robot', realm: 'employees' }, undefined],
    [
      'no service of an issuer by its uid alone',
      { uid: 'robot', realm: 'services', issuer: GITHUB },
      undefined,
    ],
    [
      'a service of an issuer',
      { uid: 'builder', realm: 'services', issuer: 'https://ci.example.org/' },
      ['constructor'],
    ],
    ['not another case', { uid: 'Alice' }, undefined],
    ['not a part', { uid: 'ali' }, undefined],
    ['not a property of objects', { uid: 'toString' }, undefined],
  ])('%s', (_, principal, expected) => {
    expect(teams.get(principalKey(principal))).toEqual(expected && new Set(expected));
  });
});

const acme = (content: unknown) => JSON.stringify({ teams: { acme: content } });
const UID = 'must be a uid in quotes, or an object with uid and issuer';

describe('what is refused, and why', () => {
  test.each<[string, string, string]>([
    ['nothing', '', 'it holds no JSON'],
    ['a half', '{"teams": {"acme"', 'it holds no JSON'],
    ['YAML', 'teams:\n  acme: {}\n', 'it holds no JSON'],
    ['a list', '[]', 'the whole must be an object of teams'],
    ['no teams', '{}', 'teams must be an object of teams by their names'],
    [
      'something else besides',
      '{"teams": {}, "team": 1}',
      'the whole has "team", which isn\'t known',
    ],
    ['a name in capitals', '{"teams": {"Acme": {}}}', 'teams.Acme is no name of a team'],
    ['a name with a slash', '{"teams": {"a/b": {}}}', 'teams["a/b"] is no name of a team'],
    ['an empty name', '{"teams": {"": {}}}', 'is no name of a team'],
    [
      'a name of 300 letters',
      JSON.stringify({ teams: { ['a'.repeat(300)]: {} } }),
      'is no name of a team',
    ],
    ['a list in a team’s place', acme([]), 'teams.acme must be an object of members and services'],
    ['a misspelt key', acme({ member: ['alice'] }), 'teams.acme has "member", which isn\'t known'],
    [
      'a uid in the list’s place',
      acme({ members: 'alice' }),
      'teams.acme.members must be a list of uids',
    ],
    ['a number', acme({ members: [7] }), `teams.acme.members[0] ${UID}`],
    ['no uid', acme({ members: ['a', ''] }), 'teams.acme.members[1]'],
    [
      'a uid without issuer in an object',
      acme({ members: [{ uid: 'a' }] }),
      'teams.acme.members[0]',
    ],
    [
      'an issuer that is no URL',
      acme({ members: [{ uid: 'a', issuer: 'github' }] }),
      'teams.acme.members[0].issuer must be the URL of an issuer',
    ],
    ['the reserved uid', acme({ services: ['anonymous'] }), 'teams.acme.services[0]'],
  ])('%s', (_, text, problem) => {
    expect(() => parseTeams(FILE, text)).toThrow(problem);
    expect(() => parseTeams(FILE, text)).toThrow(FILE);
  });

  test('all of it at once', () => {
    const text = '{"teams": {"A": {}, "b": {"members": 1}, "c": {"x": 1}}, "y": 1}';
    expect(() => parseTeams(FILE, text)).toThrow(/teams\.A .*teams\.b.*teams\.c .*the whole/);
  });

  test('but no more than fifty problems of a thousand', () => {
    const text = acme({ members: Array.from({ length: 1000 }, () => 7) });
    expect(() => parseTeams(FILE, text)).toThrow(/members\[49\].*; and 950 more$/);
  });

  test('without a word of what is no JSON: it may be another file, with a secret', () => {
    for (const text of ['gh-secret', '{"token": gh-secret}', '"gh-secret" 1', '["gh-secret"\n1]']) {
      expect(() => parseTeams(FILE, text)).not.toThrow('secret');
      expect(() => parseTeams(FILE, text)).toThrow('no JSON');
    }
  });
});

test('the example of the documentation is right', async () => {
  const page = await readFile(new URL('../../../docs/teams.md', import.meta.url), 'utf8');
  const examples = [...page.matchAll(/^```json\n(.*?)^```/gms)].map(([, text = '']) => text);
  const file = examples.find((text) => text.includes('"teams"')) ?? '';
  const teams = parseTeams(FILE, file);
  expect(teams.get(principalKey({ uid: 'alice' }))).toEqual(new Set(['acme', 'shop']));
});
