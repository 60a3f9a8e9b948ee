import type { CommandContext } from '../context.ts';

export async function run({ note }: CommandContext): Promise<void> {
  note('!! THIS FUNCTIONALITY IS DEPRECATED !!');
}
