import type { CommandContext } from '../context.ts';
import { CliError } from '../errors.ts';

export async function run({ input }: CommandContext): Promise<void> {
  const [team, artifact, tag] = [input.operand(1), input.operand(2), input.operand(3)];
  throw new CliError(
    `${team}/${artifact}:${tag} was not marked: mark-production-ready is deprecated, and this registry keeps no such mark. Take it out of your pipeline.`,
  );
}
