import { pathOf } from '../client.ts';
import type { CommandContext } from '../context.ts';
import { namesIn } from '../lists.ts';
import { teamOf } from '../names.ts';

export async function run({ input, client, output, note }: CommandContext): Promise<void> {
  const team = teamOf(input);
  const registry = await client();
  let count = 0;
  await output.table([{ name: 'team' }, { name: 'artifact' }], rows());
  if (count === 0 && output.format === 'text')
    note(`There are no artifacts of ${team}: pierone teams lists the teams that have some.`);

  async function* rows() {
    for await (const names of namesIn(registry, pathOf('teams', team, 'artifacts'))) {
      count += names.length;
      yield names.map((artifact) => ({ team, artifact }));
    }
  }
}
