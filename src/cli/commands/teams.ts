import type { CommandContext } from '../context.ts';

export async function run({ client, output }: CommandContext): Promise<void> {
  const registry = await client();
  await output.table([{ name: 'name' }], rows());

  async function* rows() {
    for await (const names of registry.pages('/teams')) yield names.map((name) => ({ name }));
  }
}
