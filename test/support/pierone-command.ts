import { fileURLToPath } from 'node:url';
import { execute, type RunResult } from './process-runner.ts';

/** The built command: run `npm run build` first. */
export const PIERONE = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));

/** Nobody's: what a developer has configured must not get into a test. */
const NO_HOME = '/nonexistent';
const TIMEOUT_MS = 60_000;

/** Runs `pierone ARGS`, which may fail, without a terminal. */
export function pierone(
  args: readonly string[],
  environment: Readonly<Record<string, string>> = {},
): Promise<RunResult> {
  const env = { HOME: NO_HOME, ...environment };
  return execute(process.execPath, [PIERONE, ...args], { env, timeoutMs: TIMEOUT_MS });
}

/** The same at a terminal of 80 columns, which shows both streams. */
export function pieroneAtTerminal(
  args: readonly string[],
  environment: Readonly<Record<string, string>> = {},
): Promise<RunResult> {
  const words = [process.execPath, PIERONE, ...args].map((word) => `'${word}'`).join(' ');
  const line = `stty cols 80 rows 24; exec ${words}`;
  return execute('script', ['--quiet', '--return', '--command', line, '/dev/null'], {
    env: { HOME: NO_HOME, TERM: 'xterm', ...environment },
    timeoutMs: TIMEOUT_MS,
  });
}
