import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type CliScene, openCliScene, SOURCE } from '../support/cli-scene.ts';
import { linesOf, type RunCli } from '../support/pierone-command.ts';

/*
 * Each command as a process, against a registry with access control.
 */

let scene: CliScene;
let pierone: RunCli;

beforeAll(async () => {
  scene = await openCliScene();
  ({ pierone } = scene);
});

afterAll(() => scene?.close());

const succeed: CliScene['succeed'] = (...args) => scene.succeed(...args);
const json: CliScene['json'] = (...args) => scene.json(...args);

const TAG_COLUMNS = 'team artifact tag created_time created_by status status_reason'.split(' ');
const SOURCE_COLUMNS = 'tag author url revision status created_time created_by'.split(' ');

describe('teams', () => {
  test('are names, sorted', async () => {
    expect(linesOf(await succeed('teams'))).toEqual(['Name', 'acme', 'tools']);
    expect(await succeed('teams', '-o', 'tsv')).toBe('name\nacme\ntools\n');
    expect(await succeed('teams', '-o', 'json')).toBe('[{"name": "acme"}, {"name": "tools"}]\n');
  });
});

describe('artifacts', () => {
  test('are the names of a team, sorted', async () => {
    const lines = ['Team Artifact', 'acme nightly', 'acme shop', 'acme shop/web'];
    expect(linesOf(await succeed('artifacts', 'acme'))).toEqual(lines);
    expect(await succeed('artifacts', 'tools', '-o', 'tsv')).toBe('team\tartifact\ntools\tbase\n');
    expect(await succeed('artifacts', 'tools', '-o', 'json')).toBe(
      '[{"team": "tools", "artifact": "base"}]\n',
    );
  });

  test('of a team that has none are none, and no error', async () => {
    const { screen } = await pierone(['artifacts', 'nobody']);
    expect(screen).toMatch(/^Team Artifact\nThere are no artifacts of nobody: pierone teams /);
    expect(await succeed('artifacts', 'nobody', '-o', 'json')).toBe('[]\n');
    expect(await succeed('artifacts', 'nobody', '-o', 'tsv')).toBe('team\tartifact\n');
  });
});

describe('tags', () => {
  test('of an artifact come oldest first', async () => {
    expect(linesOf(await succeed('tags', 'acme', 'shop'))).toEqual([
      'Team Artifact Tag Created By Status Status Reason',
      'acme shop 1.0 AGE jdoe Not Processed Not Processed',
      'acme shop 1.1 AGE jdoe Not Processed Not Processed',
      'acme shop 2.0-SNAPSHOT AGE jdoe Not Processed Not Processed',
    ]);
  });

  test('have the fields of the original, times in seconds, in JSON', async () => {
    const rows = await json('tags', 'acme', 'shop');
    expect(rows.map((row) => Object.keys(row))).toEqual(rows.map(() => TAG_COLUMNS));
    expect(rows.map(({ tag }) => tag)).toEqual(['1.0', '1.1', '2.0-SNAPSHOT']);
    const [first] = rows;
    expect(first).toMatchObject({ created_by: 'jdoe', created_time: expect.any(Number) });
    expect(Math.abs(Number(first?.['created_time']) - Date.now() / 1000)).toBeLessThan(600);
  });

  test('have ages in tsv', async () => {
    const lines = linesOf(await succeed('tags', 'tools', 'base', '-o', 'tsv'));
    expect(lines).toEqual([
      TAG_COLUMNS.join('\t'),
      'tools\tbase\t1\tAGE\tstups_builder\tNot Processed\tNot Processed',
    ]);
  });

  test('are limited to the newest, of each artifact', async () => {
    const rows = await json('tags', 'acme', '--limit', '1');
    expect(rows.map(({ artifact, tag }) => [artifact, tag])).toEqual([
      ['nightly', '1-SNAPSHOT'],
      ['shop', '2.0-SNAPSHOT'],
      ['shop/web', '1.0'],
    ]);
    expect(await json('tags', 'acme', 'shop', '-l', '0')).toHaveLength(3);
  });

  test('of an artifact that does not exist are an error, with exit code 2', async () => {
    const { exitCode, stdout, stderr } = await pierone(['tags', 'acme', 'sjop']);
    expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: '' });
    expect(stderr).toMatch(/^pierone: Artifact or Team does not exist! acme\/sjop has no tags/);
    const team = await pierone(['tags', 'nobody']);
    expect(team.exitCode).toBe(2);
    expect(team.stderr).toMatch(/^pierone: The Team you are looking for does not exist/);
  });
});

describe('latest', () => {
  test.each(['text', 'json', 'tsv'])('is a name alone, as %s', async (format) => {
    expect(await succeed('latest', 'acme', 'shop', '-o', format)).toBe('1.1\n');
    expect(await succeed('latest', 'acme', 'shop/web', '-o', format)).toBe('1.0\n');
  });

  test.each(['nightly', 'sjop'])(
    'of %s, which has no immutable tag, is exit code 1',
    async (name) => {
      const { exitCode, stdout, stderr } = await pierone(['latest', 'acme', name]);
      expect({ exitCode, stdout }).toEqual({ exitCode: 1, stdout: '' });
      expect(stderr).toMatch(/^pierone: Latest tag not found/);
    },
  );
});

describe('scm-source', () => {
  test('shows where tags come from; a tag without a source has an empty row', async () => {
    const rows = await json('scm-source', 'acme', 'shop');
    expect(rows.map((row) => Object.keys(row))).toEqual(rows.map(() => SOURCE_COLUMNS));
    expect(rows.map(({ tag, url, revision }) => ({ tag, url, revision }))).toEqual([
      { tag: '1.0', url: null, revision: null },
      { tag: '1.1', ...SOURCE },
      { tag: '2.0-SNAPSHOT', url: null, revision: null },
    ]);
    expect(rows[1]).toMatchObject({ created_by: 'jdoe', created_time: expect.any(Number) });
  });

  test('cuts revisions in text', async () => {
    const [head, line] = linesOf(await succeed('scm-source', 'acme', 'shop', '1.1'));
    expect(head).toBe('Tag Author URL Revision Status Created By');
    expect(line).toMatch(/^1\.1 .*git:https:\/\/git\.example\.org\/acme\/shop\.git 012345678… /);
  });

  test('does not cut them in tsv', async () => {
    const [head, line] = linesOf(await succeed('scm-source', 'acme', 'shop', '1.1', '-o', 'tsv'));
    expect(head).toBe(SOURCE_COLUMNS.join('\t'));
    expect(line?.split('\t').slice(2, 4)).toEqual([SOURCE.url, SOURCE.revision]);
  });

  test('of a tag that does not exist has a row with its name', async () => {
    const rows = await json('scm-source', 'acme', 'shop', '9', '1.1');
    expect(rows.map(({ tag, created_time: time }) => [tag, time])).toEqual([
      ['1.1', expect.any(Number)],
      ['9', null],
    ]);
  });

  test('of the newest tags', async () => {
    const rows = await json('scm-source', 'acme', 'shop', '-l', '2');
    expect(rows.map(({ tag }) => tag)).toEqual(['1.1', '2.0-SNAPSHOT']);
  });

  test('of an artifact that does not exist is exit code 2', async () => {
    expect((await pierone(['scm-source', 'acme', 'sjop'])).exitCode).toBe(2);
  });
});

describe('image', () => {
  test('is found by the beginning of its digest', async () => {
    const prefix = scene.digest.slice(0, 20);
    expect(linesOf(await succeed('image', prefix))).toEqual(['Team Artifact Tag', 'acme shop 1.1']);
    expect(await succeed('image', prefix, '-o', 'tsv')).toBe(
      'team\tartifact\tname\nacme\tshop\t1.1\n',
    );
    expect(await succeed('image', prefix, '-o', 'json')).toBe(
      '[{"team": "acme", "artifact": "shop", "name": "1.1"}]\n',
    );
  });

  test('that is not found, or ambiguous, is told as the original does, with exit code 0', async () => {
    expect(await succeed('image', 'sha256:zz')).toBe('Image sha256:zz not found\n');
    expect(await succeed('image', 'sha256:')).toBe('Prefix sha256: matches more than one image.\n');
  });

  test.each([
    ['json', '[]\n'],
    ['tsv', 'team\tartifact\tname\n'],
  ])('that is not found is an empty list in %s', async (format, stdout) => {
    expect(await pierone(['image', 'sha256:zz', '-o', format])).toMatchObject({
      exitCode: 0,
      stdout,
      stderr: 'Image sha256:zz not found\n',
    });
  });
});

describe('search', () => {
  test('finds artifacts by the beginning of a word', async () => {
    const lines = ['Team Artifact', 'acme shop', 'acme shop/web'];
    expect(linesOf(await succeed('search', 'sho'))).toEqual(lines);
    expect(await json('search', 'web')).toEqual([{ team: 'acme', artifact: 'shop/web' }]);
    expect(await succeed('search', 'base', '-o', 'tsv')).toBe('team\tartifact\ntools\tbase\n');
  });

  test('that finds nothing says so, and is no error', async () => {
    expect(await pierone(['search', 'nothing', '-o', 'json'])).toMatchObject({
      exitCode: 0,
      stdout: '[]\n',
      stderr: 'No artifact has a word that begins with nothing.\n',
    });
  });
});

describe('events', () => {
  test('are told oldest first, in text without ids', async () => {
    const lines = linesOf(await succeed('events', 'acme', 'shop'));
    expect(lines[0]).toBe('When Kind Team Artifact Tag By Reason');
    expect(lines.slice(1).map((line) => line.split(' ').slice(1, 6).join(' '))).toEqual([
      'created acme shop 1.0 jdoe',
      'created acme shop 1.1 jdoe',
      'created acme shop 2.0-SNAPSHOT jdoe',
      'refused acme shop 1.0 jdoe',
      expect.stringMatching(/^denied acme shop mallory /),
    ]);
  });

  test('have all that is known in JSON and tsv', async () => {
    const [event, ...others] = await json('events', 'acme', 'shop', '1.1');
    expect(others).toEqual([]);
    expect(event).toMatchObject({
      id: expect.stringMatching(/^\d+$/),
      kind: 'created',
      digest: scene.digest,
      previous_digest: null,
      happened_time: expect.any(Number),
      repetitions: expect.any(Number),
    });
    const [head] = linesOf(await succeed('events', '-o', 'tsv'));
    expect(head?.split('\t')).toEqual(Object.keys(event ?? {}));
  });

  test.each([
    [['--kind', 'denied'], ['denied']],
    [['--by', 'stups_builder'], ['created']],
    [
      ['--since', '1h', '-l', '2'],
      ['refused', 'denied'],
    ],
    [
      ['acme', 'shop', '-l', '0'],
      ['created', 'created', 'created', 'refused', 'denied'],
    ],
    [['--until', '2020-01-01'], []],
  ])('are chosen by %j', async (args, kinds) => {
    expect((await json('events', ...args)).map(({ kind }) => kind)).toEqual(kinds);
  });
});

describe('whoami', () => {
  test('tells whom a token stands for', async () => {
    expect(await json('whoami')).toEqual([
      {
        uid: 'jdoe',
        realm: 'employees',
        issuer: null,
        scopes: ['uid'],
        teams: ['acme'],
        push_teams: ['acme'],
      },
    ]);
    expect(linesOf(await succeed('whoami'))).toEqual([
      'Uid Realm Issuer Scopes Teams May Push To',
      'jdoe employees uid acme acme',
    ]);
    expect(await succeed('whoami', '-o', 'tsv')).toBe(
      'uid\trealm\tissuer\tscopes\tteams\tpush_teams\njdoe\temployees\t\tuid\tacme\tacme\n',
    );
  });

  test.each([
    ['stups_builder', ['*']],
    ['stups_robot', ['acme']],
    ['stups_reader', []],
    ['mallory', ['other']],
  ] as const)('tells where %s may push', async (who, teams) => {
    const [caller] = await json('whoami', '--token', scene.registry.loginOf(who).password);
    expect(caller).toMatchObject({ uid: who, push_teams: teams });
  });
});

describe('who is not logged in', () => {
  test.each([
    ['teams'],
    ['artifacts', 'acme'],
    ['tags', 'acme'],
    ['tags', 'acme', 'shop'],
    ['latest', 'acme', 'shop'],
    ['scm-source', 'acme', 'shop'],
    ['image', 'sha256:00'],
    ['search', 'shop'],
    ['events'],
    ['whoami'],
  ])('is told so by %s, with exit code 3', async (...args) => {
    const { exitCode, stdout, stderr } = await pierone(args, {
      env: { PIERONE_TOKEN: '' },
    });
    expect({ exitCode, stdout }).toEqual({ exitCode: 3, stdout: '' });
    expect(stderr).toMatch(/^pierone: 127\.\S+ wants to know who you are: run pierone login/);
  });

  test('or has a bad token is told why', async () => {
    const token = scene.registry.loginOf('nobody').password;
    const { exitCode, stderr } = await pierone(['teams', '--token', token]);
    expect(exitCode).toBe(3);
    expect(stderr).toMatch(
      /does not accept the token \(.+\): get a new one with pierone login\.$/m,
    );
    expect(stderr).not.toContain(token);
  });

  test('or has a token for another name in OAUTH2_ACCESS_TOKENS, but not with one for pierone', async () => {
    const token = scene.registry.loginOf('jdoe').password;
    const ask = (list: string) =>
      pierone(['teams'], { env: { PIERONE_TOKEN: '', OAUTH2_ACCESS_TOKENS: list } });
    expect((await ask(`other=${token}`)).exitCode).toBe(3);
    expect((await ask(`other=x,pierone=${token}`)).exitCode).toBe(0);
  });
});

test('someone whom the registry may not know is refused, with exit code 4', async () => {
  const fault = {
    kind: 'answer',
    status: 200,
    headers: {},
    body: '{"realm":"/services"}',
  } as const;
  const planned = scene.registry.provider.plan('tokeninfo', fault);
  const { exitCode, stderr } = await pierone(['teams', '--token', 'unseen-before']);
  planned.end();
  expect(exitCode).toBe(4);
  expect(stderr).toMatch(
    /^pierone: 127\.\S+ refuses this \(the token is valid, but names no user\)/,
  );
});

test("a registry that can't check tokens is exit code 5", async () => {
  await scene.registry.provider.vanish();
  const { exitCode, stderr } = await pierone(['teams', '--token', 'never-seen']);
  await scene.registry.provider.comeBack();
  expect(exitCode).toBe(5);
  expect(stderr).toMatch(/failed with status 503 \(.+\): try again later\.$/m);
});
