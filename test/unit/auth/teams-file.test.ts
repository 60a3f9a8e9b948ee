import { mkdir, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Identity } from '../../../src/auth/identity.ts';
import { TeamsFile } from '../../../src/auth/teams-file.ts';
import { createLog } from '../../../src/log.ts';
import { run } from '../../support/process-runner.ts';
import { waitUntil } from '../../support/wait-until.ts';
import { createWorkspace, type Workspace } from '../../support/workspace.ts';

const LOOK_MS = 20;

let workspace: Workspace;
let lines: string[];
let file: string;

beforeEach(async () => {
  workspace = await createWorkspace();
  lines = [];
  file = workspace.path('teams.json');
});
afterEach(() => workspace.dispose());

/** One team, with these members. */
const teamOf = (...members: string[]) => JSON.stringify({ teams: { acme: { members } } });

async function openTeams(name = file): Promise<TeamsFile> {
  const log = createLog('trace', { write: (line) => void lines.push(line) });
  const teams = await TeamsFile.open(name, log, LOOK_MS);
  workspace.defer(async () => teams.close());
  return teams;
}

const identityOf = (uid: string): Identity => ({
  principal: { uid },
  kind: 'oauth',
  scopes: new Set(),
});
const knows = async (teams: TeamsFile, uid: string) =>
  (await teams.teamsOf(identityOf(uid))) !== undefined;
const waitFor = (teams: TeamsFile, uid: string) => waitUntil(uid, () => knows(teams, uid));
const errors = () => lines.filter((line) => line.includes('"level":"error"'));

describe('a file that can’t be used at the start', () => {
  const name = (...names: string[]) => workspace.path(...names);

  test('is missing', async () => {
    await expect(openTeams()).rejects.toThrow(`TEAMS_FILE ${file}: it can't be read (ENOENT)`);
  });

  test('is a directory', async () => {
    await expect(openTeams(workspace.directory)).rejects.toThrow('it is no regular file');
  });

  test('is a pipe, whose writer nobody waits for', async () => {
    await run('mkfifo', [name('pipe')]);
    await expect(openTeams(name('pipe'))).rejects.toThrow('it is no regular file');
  });

  test('is larger than a mebibyte', async () => {
    await writeFile(file, teamOf('alice').padEnd(1024 * 1024 + 1));
    await expect(openTeams()).rejects.toThrow('it has more than 1048576 bytes');
  });

  test('says all that is wrong', async () => {
    await writeFile(file, '{"teams": {"A": {}, "b": 1}}');
    await expect(openTeams()).rejects.toThrow(/teams\.A .*teams\.b /);
  });
});

describe('a file that changes is read again', () => {
  test('written in its place, with the same length', async () => {
    await writeFile(file, teamOf('alice'));
    const teams = await openTeams();
    expect(await teams.teamsOf(identityOf('alice'))).toEqual(new Set(['acme']));
    await writeFile(file, teamOf('bobby'));
    await waitFor(teams, 'bobby');
    expect(await knows(teams, 'alice')).toBe(false);
    expect(lines.join('')).toContain(file);
  });

  test('replaced by another one', async () => {
    await writeFile(file, teamOf('alice'));
    const teams = await openTeams();
    await writeFile(`${file}.new`, teamOf('bobby'));
    await rename(`${file}.new`, file);
    await waitFor(teams, 'bobby');
    expect(await knows(teams, 'alice')).toBe(false);
  });

  test('replaced as Kubernetes does it: a link to a directory changes', async () => {
    const volume = workspace.path('volume');
    const place = async (version: string, text: string) => {
      await mkdir(`${volume}/..${version}`, { recursive: true });
      await writeFile(`${volume}/..${version}/teams.json`, text);
      await symlink(`..${version}`, `${volume}/..data_tmp`);
      await rename(`${volume}/..data_tmp`, `${volume}/..data`);
    };
    await place('1', teamOf('alice'));
    await symlink('..data/teams.json', `${volume}/teams.json`);
    const teams = await openTeams(`${volume}/teams.json`);
    await place('2', teamOf('bobby'));
    await rm(`${volume}/..1`, { recursive: true });
    await waitFor(teams, 'bobby');
    expect(await knows(teams, 'alice')).toBe(false);
    expect(errors()).toEqual([]);
  });
});

describe('a file that becomes wrong keeps its last good content, and is complained of', () => {
  const damages: Readonly<Record<string, () => Promise<unknown>>> = {
    'no JSON': () => writeFile(file, '{"teams": {"acme"'),
    'cut to nothing': () => writeFile(file, ''),
    'a wrong name': () => writeFile(file, '{"teams": {"Acme": {"members": ["alice"]}}}'),
    gone: () => rm(file),
    'too large': () => writeFile(file, teamOf('mallory').padEnd(1024 * 1024 + 1)),
  };

  test.each(Object.entries(damages))('%s', async (_, damage) => {
    await writeFile(file, teamOf('alice'));
    const teams = await openTeams();
    await damage();
    const [line = ''] = await waitUntil('a complaint', () => errors().length > 0 && errors());
    expect(JSON.parse(line)).toMatchObject({
      reason: expect.stringContaining(`TEAMS_FILE ${file}`),
    });
    expect(await knows(teams, 'alice')).toBe(true);
    await writeFile(file, teamOf('bobby'));
    await waitFor(teams, 'bobby');
  });

  test('once, however often it is looked at, and once more when it is wrong again', async () => {
    await writeFile(file, teamOf('alice'));
    await openTeams();
    const goesWrong = async (times: number) => {
      await writeFile(`${file}.new`, 'wrong');
      await rename(`${file}.new`, file);
      await waitUntil('a complaint', () => errors().length === times);
      await delay(5 * LOOK_MS);
      expect(errors()).toHaveLength(times);
    };
    await goesWrong(1);
    const before = lines.length;
    // As it was before: nothing has to be taken over, and yet it is told that all is well.
    await writeFile(`${file}.new`, teamOf('alice'));
    await rename(`${file}.new`, file);
    await waitUntil('the news', () => lines.length > before);
    await goesWrong(2);
  });
});

test('nothing is looked at after close', async () => {
  await writeFile(file, teamOf('alice'));
  const teams = await openTeams();
  teams.close();
  await writeFile(file, teamOf('bobby'));
  await delay(5 * LOOK_MS);
  expect(await knows(teams, 'bobby')).toBe(false);
  expect(lines).toEqual([]);
});
