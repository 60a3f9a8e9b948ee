import { type Client, pathOf } from '../client.ts';
import type { CommandContext } from '../context.ts';
import { CliError, hasStatus } from '../errors.ts';
import { textOf } from '../lists.ts';
import { teamOf } from '../names.ts';
import { NoTagsError, newestTags } from '../tag-lists.ts';

export async function run({ input, client, output }: CommandContext): Promise<void> {
  const team = teamOf(input);
  const artifact = input.operand(1);
  const registry = await client();
  const latest =
    (await askForLatest(registry, team, artifact)) ?? (await newestOfAll(registry, team, artifact));
  if (latest === undefined) {
    throw new CliError(`Latest tag not found: ${team}/${artifact} has no immutable tag.`);
  }
  await output.line(latest);
}

/** What docker would pull as `latest`. */
async function askForLatest(client: Client, team: string, artifact: string) {
  try {
    const path = pathOf('teams', team, 'artifacts', artifact, 'tags', 'latest');
    return textOf((await client.json(path)).value, 'name');
  } catch (error) {
    if (hasStatus(error, 404)) return undefined;
    throw error;
  }
}

/** For registries that can't be asked for it: those of the original. */
async function newestOfAll(client: Client, team: string, artifact: string) {
  if (await hasOpenApi(client)) return undefined;
  const tags = await newestTags(client, team, artifact, 1).catch((error: unknown) => {
    if (error instanceof NoTagsError) return [];
    throw error;
  });
  return tags.at(-1)?.name;
}

/** The original has none. */
async function hasOpenApi(client: Client): Promise<boolean> {
  try {
    const answer = await client.open('/openapi.json', { method: 'HEAD' });
    answer.cancel();
    return true;
  } catch (error) {
    if (hasStatus(error, 404, 401, 403, 405)) return false;
    throw error;
  }
}
