import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { execute, type RunOptions, type RunResult } from './process-runner.ts';
import type { Workspace } from './workspace.ts';

/* The built commands as processes: run `npm run build` first. */

const DIST = fileURLToPath(new URL('../../dist/cli/', import.meta.url));
export const PIERONE = join(DIST, 'main.js');
const HELPER = join(DIST, 'credential-helper.js');
/** What a shell would run. */
export const CLI_COMMAND: readonly string[] = [process.execPath, PIERONE];

/** Nobody's: what a developer has configured must not get into a test. */
const NO_HOME = '/nonexistent';
/** A command that waits for somebody is caught. */
const TIMEOUT_MS = 60_000;

type Variables = Readonly<Record<string, string>>;
type Options = Pick<RunOptions, 'env' | 'input' | 'cwd'>;

/** Runs the command with these arguments, to its end. */
export type RunCli = (
  args: readonly string[],
  options?: Pick<RunOptions, 'env' | 'input'>,
) => Promise<RunResult>;

function run([program = '', ...args]: readonly string[], options: Options): Promise<RunResult> {
  if (!existsSync(PIERONE)) throw new Error(`${PIERONE} is missing: run npm run build`);
  return execute(program, args, { ...options, timeoutMs: TIMEOUT_MS });
}

/** At a terminal of 80 columns, which shows both streams. */
function runAtTerminal(command: readonly string[], options: Options): Promise<RunResult> {
  const words = command.map((word) => `'${word}'`).join(' ');
  const line = `stty cols 80 rows 24; exec ${words}`;
  return run(['script', '--quiet', '--return', '--command', line, '/dev/null'], options);
}

/** Runs `pierone ARGS`, which may fail, without a terminal. */
export function pierone(args: readonly string[], environment: Variables = {}): Promise<RunResult> {
  return run([...CLI_COMMAND, ...args], { env: { HOME: NO_HOME, ...environment } });
}

/** The same at a terminal. */
export function pieroneAtTerminal(
  args: readonly string[],
  environment: Variables = {},
): Promise<RunResult> {
  const env = { HOME: NO_HOME, TERM: 'xterm', ...environment };
  return runAtTerminal([...CLI_COMMAND, ...args], { env });
}

/** The command in a home directory of its own, in the workspace. */
export function cliIn(workspace: Workspace, environment: Variables = {}): RunCli {
  const own = { HOME: workspace.path('home'), ...environment };
  return (args, { env = {}, ...options } = {}) =>
    run([...CLI_COMMAND, ...args], { ...options, env: { ...own, ...env } });
}

/** A person's or a job's home directory, and the commands as they run there, found on the PATH. */
export interface CliHome {
  readonly directory: string;
  path(...names: readonly string[]): string;
  /** `pierone ARGS`, which may fail; without a terminal, and with nothing to read. */
  pierone(args: readonly string[], environment?: Variables): Promise<RunResult>;
  /** The same at a terminal, which shows both streams. @param answers what somebody types */
  atTerminal(
    args: readonly string[],
    environment?: Variables,
    answers?: string,
  ): Promise<RunResult>;
  /** `docker-credential-pierone ACTION` */
  helper(action: string, input: string, environment?: Variables): Promise<RunResult>;
  /** Of the home's commands, and a PATH on which docker finds the helper. */
  readonly environment: Variables;
  write(name: string, content: string): Promise<void>;
  read(name: string): Promise<string>;
  remove(): Promise<void>;
}

export async function makeHome(settings: Variables = {}): Promise<CliHome> {
  const directory = await mkdtemp(join(tmpdir(), 'pierone-home-'));
  const path = (...names: readonly string[]) => join(directory, ...names);
  await mkdir(path('bin'));
  await symlink(PIERONE, path('bin', 'pierone'));
  await symlink(HELPER, path('bin', 'docker-credential-pierone'));
  const base = {
    HOME: directory,
    PATH: `${path('bin')}:${process.env['PATH'] ?? ''}`,
    XDG_RUNTIME_DIR: path('run'),
    ...settings,
  };
  const within = (environment: Variables) => ({
    env: { ...base, ...environment },
    cwd: directory,
  });
  return {
    directory,
    path,
    environment: base,
    pierone: (args, environment = {}) => run(['pierone', ...args], within(environment)),
    atTerminal: (args, environment = {}, answers = '') =>
      runAtTerminal(['pierone', ...args], { ...within(environment), input: answers }),
    helper: (action, input, environment = {}) =>
      run(['docker-credential-pierone', action], { ...within(environment), input }),
    async write(name, content) {
      await mkdir(dirname(path(name)), { recursive: true });
      await writeFile(path(name), content);
    },
    read: (name) => readFile(path(name), 'utf8'),
    remove: () => rm(directory, { recursive: true, force: true }),
  };
}

/** Ages differ from run to run, and columns are as wide as they are. */
export function steadyText(text: string): string {
  return text.replaceAll(/\b\d+[smhd] ago\b/g, 'AGE').replaceAll(/ +/g, ' ');
}

/** Lines of text output, without their heads' and columns' widths. */
export function linesOf(text: string): string[] {
  return steadyText(text)
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => line.trim());
}
