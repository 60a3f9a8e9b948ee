import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { JsonValue } from '../support/json.ts';
import { type OriginalRegistry, startOriginalRegistry } from '../support/original-registry.ts';
import { cliIn, linesOf, type RunCli } from '../support/pierone-command.ts';
import { createWorkspace, type Workspace } from '../support/workspace.ts';

let workspace: Workspace;
let registry: OriginalRegistry;
let pierone: RunCli;

beforeAll(async () => {
  workspace = await createWorkspace();
  registry = await startOriginalRegistry(workspace);
  pierone = cliIn(workspace);
});

afterAll(() => workspace?.dispose());

async function help(...args: readonly string[]): Promise<string> {
  const { exitCode, stdout, stderr } = await pierone(args);
  expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
  return stdout;
}

/** The commands that the help lists. */
async function commands(): Promise<string[]> {
  const lines = (await help('--help')).split('\n');
  const names = lines.flatMap((line) => /^ {2}([a-z][\w-]+)(?: \S+)? {2,}\S/.exec(line)?.[1] ?? []);
  expect(names).toEqual(expect.arrayContaining(['teams', 'tags', 'events', 'help']));
  return names.filter((name) => name !== 'help');
}

describe('help', () => {
  test('is what pierone alone prints, and pierone help', async () => {
    const text = await help();
    expect(text).toMatch(/^Usage: pierone \[options\] <command>\n/);
    expect(await help('--help')).toBe(text);
    expect(await help('-h')).toBe(text);
    expect(await help('help')).toBe(text);
  });

  test('of each command has its usage, examples, and fits 80 columns', async () => {
    const texts = [await help('--help')];
    for (const name of await commands()) {
      const text = await help(name, '--help');
      expect(text).toMatch(new RegExp(`^Usage: pierone ${name} `));
      expect(text).toContain(`\n  pierone ${name}`);
      texts.push(text);
    }
    const lines = texts.flatMap((text) => text.split('\n'));
    expect(lines.filter((line) => line.length > 80)).toEqual([]);
  });

  test('names every exit code', async () => {
    expect((await help()).match(/^ {2}\d /gm)).toEqual([
      '  0 ',
      '  1 ',
      '  2 ',
      '  3 ',
      '  4 ',
      '  5 ',
    ]);
  });

  test('does not stop at the version', async () => {
    const file = new URL('../../package.json', import.meta.url);
    const version = JsonValue.parse(await readFile(file, 'utf8')).at('version').text;
    expect(await help('--version')).toBe(`Pier One CLI ${version}\n`);
    expect(await help('-V')).toBe(`Pier One CLI ${version}\n`);
  });
});

describe('commands may be abbreviated', () => {
  test.each([
    ['art', 'artifacts'],
    ['sc', 'scm-source'],
    ['im', 'image'],
  ])('%s is %s', async (abbreviation, name) => {
    expect(await help(abbreviation, '--help')).toBe(await help(name, '--help'));
  });

  test('but not when several begin so', async () => {
    const { exitCode, stderr } = await pierone(['t', 'acme']);
    expect(exitCode).toBe(2);
    expect(stderr).toBe('pierone: t is ambiguous: it begins teams, tags.\n');
  });
});

describe('wrong usage is exit code 2, and a sentence that says where to read on:', () => {
  test.each([
    [
      'an unknown command',
      ['tgas'],
      /unknown command 'tgas' \(Did you mean tags\?\); see pierone --help/,
    ],
    ['an unknown option', ['teams', '--all'], /unknown option '--all'; see pierone teams --help/],
    ['a missing argument', ['tags'], /missing required argument 'team'; see pierone tags --help/],
    ['too many arguments', ['teams', 'x'], /too many arguments.*[^.]; see pierone teams --help/],
    ['a missing value', ['teams', '--url'], /argument missing; see pierone --help/],
    ['an unknown format', ['teams', '-o', 'xml'], /must be one of text, json, tsv, not xml/],
    ['an unknown kind', ['events', '-k', 'x'], /choices are created, replaced, refused, denied/],
    ['a limit that is none', ['tags', 'a', '-l', 'x'], /--limit must be a whole number from 0 on/],
    [
      'no time',
      ['events', '--since', 'yesterday'],
      /--since must be an age such as 30m, 12h or 7d/,
    ],
    ['a repository for a team', ['tags', 'acme/shop'], /write the team .+ as in acme shop/],
    ['no URL', ['teams', '--url', 'ftp://x'], /ftp:\/\/x is no URL of a registry/],
    [
      'a URL with a password, which is not shown',
      ['teams', '--url', 'ftp://me:geheim@x'],
      /^pierone: (?!.*geheim).*must have no user and no password/,
    ],
    ['help of an unknown command', ['help', 'tgas'], /unknown command 'tgas'; see pierone --help/],
  ])('%s', async (_, args, sentence) => {
    const env = { PIERONE_URL: registry.url };
    const { exitCode, stdout, stderr } = await pierone(args, { env });
    expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: '' });
    expect(stderr).toMatch(/^pierone: .+[^.]\.\n$/);
    expect(stderr).toMatch(sentence);
  });

  test('no registry', async () => {
    const { exitCode, stderr } = await pierone(['teams']);
    expect(exitCode).toBe(2);
    expect(stderr).toMatch(/^pierone: Which registry\? Give --url/);
  });
});

test('a token that no header can hold is told, and not shown', async () => {
  const env = { PIERONE_URL: registry.url, PIERONE_TOKEN: 'geheim\nX-Other: 1' };
  const { exitCode, stdout, stderr } = await pierone(['teams', '--debug'], { env });
  expect({ exitCode, stdout }).toEqual({ exitCode: 3, stdout: '' });
  expect(stderr).toContain('The token has a space, a line break or a letter that none has');
  expect(stderr).not.toContain('geheim');
});

describe('settings', () => {
  /** Runs `teams` in a home directory with these files. */
  async function teamsWith(
    files: Readonly<Record<string, string>>,
    env: Readonly<Record<string, string>> = {},
    ...args: readonly string[]
  ) {
    const home = workspace.path(`home-${Math.random()}`);
    for (const [name, text] of Object.entries(files)) {
      await mkdir(dirname(`${home}/${name}`), { recursive: true });
      await writeFile(`${home}/${name}`, text);
    }
    const own = Object.entries(env).map(([name, value]) => [name, value.replace('~', home)]);
    return pierone(['teams', ...args], { env: { HOME: home, ...Object.fromEntries(own) } });
  }

  test.each([
    ['.config/pierone/pierone.yaml', {}],
    ['.config/pierone.yaml', {}],
    ['xdg/pierone/pierone.yaml', { XDG_CONFIG_HOME: '~/xdg' }],
  ])('are read from ~/%s', async (name, env) => {
    const { exitCode, stdout } = await teamsWith({ [name]: `url: ${registry.url}\n` }, env);
    expect({ exitCode, stdout: linesOf(stdout) }).toEqual({
      exitCode: 0,
      stdout: ['Name', 'acme', 'tools'],
    });
  });

  test('may be any YAML', async () => {
    const text = `# mine\n"url": '${registry.url}'\noutput: "tsv"\nother: [1, 2]\n`;
    const { stdout } = await teamsWith({ '.config/pierone/pierone.yaml': text });
    expect(stdout).toBe('name\nacme\ntools\n');
  });

  test('of the environment go before the file, and options before both', async () => {
    const files = { '.config/pierone/pierone.yaml': 'url: http://127.0.0.1:1\noutput: json\n' };
    const env = { PIERONE_URL: registry.url };
    expect((await teamsWith(files)).exitCode).toBe(5);
    expect((await teamsWith(files, env)).stdout).toBe('[{"name": "acme"}, {"name": "tools"}]\n');
    const tsv = await teamsWith(files, { ...env, PIERONE_OUTPUT: 'json' }, '-o', 'tsv');
    expect(tsv.stdout).toBe('name\nacme\ntools\n');
  });

  test.each([
    ['url: [', /can't be read: /],
    ['just text', /must have lines such as url: https:\/\//],
  ])('in a broken file (%s) are an error that names it', async (text, sentence) => {
    const { exitCode, stderr } = await teamsWith({ '.config/pierone/pierone.yaml': text });
    expect(exitCode).toBe(2);
    expect(stderr).toMatch(/\.config\/pierone\/pierone\.yaml /);
    expect(stderr).toMatch(sentence);
  });
});

describe('a command loads what it needs, and no more', () => {
  const env = { HTTP_PROXY: '', HTTPS_PROXY: '', http_proxy: '', https_proxy: '' };

  /** URLs of the modules that the process has loaded, as V8's coverage lists them. */
  async function modulesOf(...args: readonly string[]): Promise<string[]> {
    const directory = workspace.path(`coverage-${args[0]}`);
    await pierone(args, { env: { ...env, NODE_V8_COVERAGE: directory } });
    const modules: string[] = [];
    for (const name of await readdir(directory)) {
      const file = JsonValue.parse(await readFile(`${directory}/${name}`, 'utf8'));
      modules.push(...file.at('result').items.map((script) => script.at('url').text));
    }
    expect(modules).toEqual(
      expect.arrayContaining([expect.stringMatching(/dist\/cli\/main\.js$/)]),
    );
    return modules.filter((url) => url.startsWith('file:'));
  }

  const packagesOf = (modules: readonly string[]) => {
    const names = modules.flatMap((url) => /\/node_modules\/([^/]+)\//.exec(url)?.[1] ?? []);
    return [...new Set(names)].toSorted();
  };
  const ours = (modules: readonly string[]) =>
    modules.flatMap((url) => /\/dist\/(.+)$/.exec(url)?.[1] ?? []);

  test('for its version or help: nothing of HTTP, no command', async () => {
    const modules = await modulesOf('--version');
    expect(packagesOf(modules)).toEqual(['commander']);
    expect(ours(modules).filter((name) => /^cli\/(commands|http|client)/.test(name))).toEqual([
      'cli/commands.js',
    ]);
  });

  test('for a list: one command, nothing of the server', async () => {
    const modules = await modulesOf('teams', '--url', registry.url);
    expect(packagesOf(modules)).toEqual(['commander', 'picocolors']);
    const names = ours(modules);
    expect(names.filter((name) => !name.startsWith('cli/'))).toEqual([]);
    expect(names.filter((name) => name.startsWith('cli/commands/'))).toEqual([
      'cli/commands/teams.js',
    ]);
  });
});
