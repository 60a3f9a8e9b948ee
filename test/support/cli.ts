import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { execute, type RunOptions, type RunResult } from './process-runner.ts';
import type { Workspace } from './workspace.ts';

const MAIN = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));

/** What a shell would run. */
export const CLI_COMMAND: readonly string[] = [process.execPath, MAIN];

/** Runs the command with these arguments, to its end. */
export type RunCli = (
  args: readonly string[],
  options?: Pick<RunOptions, 'env' | 'input'>,
) => Promise<RunResult>;

/** The built command (run `npm run build` first), in a home directory of its own, in the workspace. */
export function cliIn(
  workspace: Workspace,
  environment: Readonly<Record<string, string>> = {},
): RunCli {
  if (!existsSync(MAIN)) throw new Error(`${MAIN} is missing: run npm run build`);
  const own = { HOME: workspace.path('home'), ...environment };
  return (args, { env = {}, ...options } = {}) =>
    execute(process.execPath, [MAIN, ...args], { ...options, env: { ...own, ...env } });
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
