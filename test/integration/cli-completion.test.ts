import { beforeAll, describe, expect, test } from 'vitest';
import { pierone } from '../support/pierone-command.ts';
import { run } from '../support/process-runner.ts';

/* The completion scripts, as each shell runs them. */

const SHELLS = ['bash', 'zsh', 'fish'] as const;
type Shell = (typeof SHELLS)[number];

const scripts = new Map<Shell, string>();
beforeAll(async () => {
  for (const shell of SHELLS) scripts.set(shell, (await pierone(['completion', shell])).stdout);
});

/** What completes the last word of a line. */
async function complete(shell: Shell, ...words: readonly string[]): Promise<string[]> {
  const program = `${scripts.get(shell)}\n${ASK[shell](words)}`;
  const { stdout, stderr } = await run(shell, [...FLAGS[shell], program], {
    env: { HOME: '/nonexistent' },
  });
  expect(stderr).toBe('');
  return stdout
    .split('\n')
    .map((line) => line.split('\t')[0] ?? '')
    .filter((line) => line !== '');
}

/** Without what a user has configured. */
const FLAGS: Readonly<Record<Shell, readonly string[]>> = {
  bash: ['--norc', '-c'],
  zsh: ['-f', '-c'],
  fish: ['--no-config', '--command'],
};

const quoted = (words: readonly string[]) => words.map((word) => `'${word}'`).join(' ');

const ASK: Readonly<Record<Shell, (words: readonly string[]) => string>> = {
  bash: (words) =>
    `COMP_WORDS=(pierone ${quoted(words)}); COMP_CWORD=${words.length}; _pierone; printf '%s\\n' "\${COMPREPLY[@]}"`,
  // What its line editor would be given, of which it takes what begins so.
  zsh: (words) => `
    _describe() { print -rl -- "\${(@P)argv[-1]%%:*}" }
    compadd() { print -rl -- "$@" }
    words=(pierone ${quoted(words)}); CURRENT=${words.length + 1}
    _pierone | grep -e "^\${words[-1]}" || true`,
  fish: (words) => `complete --do-complete 'pierone ${words.join(' ')}'`,
};

/** So that the script of zsh can be read where no completion system is loaded. */
beforeAll(() => {
  scripts.set('zsh', `compdef() { true }\n${scripts.get('zsh')}`);
});

describe.each(SHELLS)('in %s', (shell) => {
  test('commands are completed, but for the deprecated ones', async () => {
    expect(await complete(shell, 'insp')).toEqual(['inspect-contents']);
    const all = await complete(shell, '');
    expect(all).toEqual(expect.arrayContaining(['tags', 'serve', 'doctor', 'completion']));
    expect(all).not.toContain('cves');
  });

  test('options of a command and those of all are completed', async () => {
    expect(await complete(shell, 'inspect-contents', '--pl')).toEqual(['--platform']);
    expect(await complete(shell, 'inspect-contents', '--ou')).toEqual(['--output']);
    expect(await complete(shell, 'doctor', '--pl')).toEqual([]);
  });

  test('known values are completed', async () => {
    expect(await complete(shell, 'tags', '-o', 'j')).toEqual(['json']);
    expect(await complete(shell, 'completion', 'z')).toEqual(['zsh']);
    expect(await complete(shell, 'inspect-contents', '--platform', 'te')).toEqual([]);
  });

  test('a value before the command is not taken for it', async () => {
    expect(await complete(shell, '--output', 'json', 'doc')).toEqual(['doctor']);
  });
});

test('another shell is refused by a sentence that names those that are known', async () => {
  const { exitCode, stderr } = await pierone(['completion', 'tcsh']);
  expect(exitCode).toBe(2);
  expect(stderr).toMatch(/bash, zsh, fish/);
});
