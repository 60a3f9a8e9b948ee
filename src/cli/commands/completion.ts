import { bashCompletion, fishCompletion, zshCompletion } from '../completion-scripts.ts';
import type { CommandContext } from '../context.ts';
import { UsageError } from '../errors.ts';

const SCRIPTS = new Map([
  ['bash', bashCompletion],
  ['zsh', zshCompletion],
  ['fish', fishCompletion],
]);

export async function run({ input, output, commandLine }: CommandContext): Promise<void> {
  const shell = input.operand(0);
  const script = SCRIPTS.get(shell);
  if (!script) {
    throw new UsageError(`There is no completion for ${shell}, only for bash, zsh and fish.`);
  }
  await output.line(script(commandLine));
}
