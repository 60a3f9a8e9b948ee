import type { CommandContext } from '../context.ts';

export async function run({ client, output }: CommandContext): Promise<void> {
  const { value } = await (await client()).json('/whoami');
  await output.json(value);
}
