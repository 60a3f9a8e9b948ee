import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Readable } from 'node:stream';

const DEFAULT_TIMEOUT_MS = 10 * 60_000;
const LAST_LINES = 30;
/** What a daemon gets to end by itself before it is killed. */
const END_TIMEOUT_MS = 20_000;

export interface RunOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** Of standard input, which is empty unless said. */
  readonly input?: string;
  readonly timeoutMs?: number;
}

export interface RunResult {
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
  /** Both streams, in the order of arrival: what a terminal would have shown. */
  readonly screen: string;
}

/** A command that was expected to succeed and didn't. */
export class CommandError extends Error {
  readonly result: RunResult;

  constructor(commandLine: string, why: string, result: RunResult) {
    super(`${commandLine}\n${why}:\n${lastLines(result.screen)}`);
    this.name = 'CommandError';
    this.result = result;
  }
}

/** Runs a command to its end, whatever its exit code. @throws CommandError when it takes too long. */
export async function execute(
  command: string,
  args: readonly string[],
  options: RunOptions = {},
): Promise<RunResult> {
  const child = spawnQuietly(command, args, options);
  // A command that ends without reading it says why by its exit code.
  child.stdin?.on('error', () => undefined).end(options.input);
  const timeoutMs = options.timeoutMs ?? DEFAULT_TIMEOUT_MS;
  const capture = captureOutput(child);
  let isLate = false;
  const timer = setTimeout(() => {
    isLate = true;
    child.kill('SIGKILL');
  }, timeoutMs);
  const [exitCode] = await once(child, 'close').finally(() => clearTimeout(timer));
  const result = capture(typeof exitCode === 'number' ? exitCode : null);
  const commandLine = [command, ...args].join(' ');
  if (isLate) throw new CommandError(commandLine, `didn't end within ${timeoutMs} ms`, result);
  return result;
}

/** Runs a command that must succeed. @throws CommandError with its last lines. */
export async function run(
  command: string,
  args: readonly string[],
  options: RunOptions = {},
): Promise<RunResult> {
  const result = await execute(command, args, options);
  if (result.exitCode === 0) return result;
  const why = `ended with code ${result.exitCode}`;
  throw new CommandError([command, ...args].join(' '), why, result);
}

/** A process that runs until it is ended. */
export interface BackgroundProcess {
  readonly pid: number;
  readonly isRunning: () => boolean;
  /** Both streams so far. */
  readonly screen: () => string;
  /** SIGTERM, and SIGKILL when that doesn't help. Harmless when it ended before. */
  end(): Promise<void>;
}

/** Starts a daemon. End it in a hook. */
export function startInBackground(
  command: string,
  args: readonly string[],
  options: RunOptions = {},
): BackgroundProcess {
  const child = spawnQuietly(command, args, options);
  const capture = captureOutput(child);
  const closed = once(child, 'close').catch(() => []);
  const isRunning = () => child.exitCode === null && child.signalCode === null;
  return {
    pid: child.pid ?? fail(`${command} could not be started`),
    isRunning,
    screen: () => capture(child.exitCode).screen,
    async end() {
      if (isRunning()) child.kill('SIGTERM');
      const timer = setTimeout(() => child.kill('SIGKILL'), END_TIMEOUT_MS);
      await closed;
      clearTimeout(timer);
    },
  };
}

function lastLines(text: string): string {
  return text.trimEnd().split('\n').slice(-LAST_LINES).join('\n');
}

/** Without the caller's environment: no proxy, credential or host of the developer gets into a test. */
function spawnQuietly(command: string, args: readonly string[], options: RunOptions): ChildProcess {
  return spawn(command, args, {
    cwd: options.cwd,
    env: { ...minimalEnvironment(), ...options.env },
    stdio: [options.input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
  });
}

function minimalEnvironment(): Record<string, string> {
  const path = process.env['PATH'] ?? '';
  // Debian puts daemons where the PATH of a user who isn't root doesn't lead.
  return { PATH: `${path}:/usr/sbin:/sbin`, HOME: process.env['HOME'] ?? '/', LC_ALL: 'C.UTF-8' };
}

function captureOutput(child: ChildProcess): (exitCode: number | null) => RunResult {
  const pieces: { from: 'stdout' | 'stderr'; text: string }[] = [];
  const collect = (stream: Readable | null, from: 'stdout' | 'stderr') => {
    stream?.setEncoding('utf8').on('data', (text: string) => pieces.push({ from, text }));
  };
  collect(child.stdout, 'stdout');
  collect(child.stderr, 'stderr');
  const join = (from?: string) =>
    pieces.reduce((all, piece) => (from && piece.from !== from ? all : all + piece.text), '');
  return (exitCode) => ({
    exitCode,
    stdout: join('stdout'),
    stderr: join('stderr'),
    screen: join(),
  });
}

function fail(message: string): never {
  throw new Error(message);
}
