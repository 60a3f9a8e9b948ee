import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { execute, type RunResult } from './process-runner.ts';

const DIST = fileURLToPath(new URL('../../dist/cli/', import.meta.url));
const PIERONE = join(DIST, 'main.js');
const HELPER = join(DIST, 'credential-helper.js');
/** A command that waits for somebody is caught. */
const TIMEOUT_MS = 30_000;

type Variables = Readonly<Record<string, string>>;

/** A person's or a job's home directory, and the commands as they run there: built, in processes of their own. */
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
  const execution = (environment: Variables) => ({
    env: { ...base, ...environment },
    cwd: directory,
    timeoutMs: TIMEOUT_MS,
  });
  return {
    directory,
    path,
    environment: base,
    pierone: (args, environment = {}) => execute('pierone', args, execution(environment)),
    atTerminal(args, environment = {}, answers = '') {
      const line = ['pierone', ...args].map((arg) => `'${arg}'`).join(' ');
      return execute('script', ['--quiet', '--return', '--command', line, '/dev/null'], {
        ...execution(environment),
        input: answers,
      });
    },
    helper: (action, input, environment = {}) =>
      execute('docker-credential-pierone', [action], { ...execution(environment), input }),
    async write(name, content) {
      await mkdir(dirname(path(name)), { recursive: true });
      await writeFile(path(name), content);
    },
    read: (name) => readFile(path(name), 'utf8'),
    remove: () => rm(directory, { recursive: true, force: true }),
  };
}
