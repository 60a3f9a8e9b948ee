import type { CommandContext } from '../context.ts';
import { namesIn } from '../lists.ts';

export async function run({ client, output }: CommandContext): Promise<void> {
  const registry = await client();
  await output.table([{ name: 'name' }], rows());

  async function* rows() {
    for await (const names of namesIn(registry, '/teams')) yield names.map((name) => ({ name }));
  }
}
