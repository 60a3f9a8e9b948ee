import { pathOf } from '../client.ts';
import type { CommandContext } from '../context.ts';
import { namesIn } from '../lists.ts';
import { teamOf } from '../names.ts';

export async function run({ input, client, output }: CommandContext): Promise<void> {
  const team = teamOf(input);
  const registry = await client();
  await output.table([{ name: 'team' }, { name: 'artifact' }], rows());

  async function* rows() {
    for await (const names of namesIn(registry, pathOf('teams', team, 'artifacts'))) {
      yield names.map((artifact) => ({ team, artifact }));
    }
  }
}
