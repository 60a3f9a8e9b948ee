import { type Client, memberOf, pathOf } from '../client.ts';
import type { CommandContext } from '../context.ts';
import { UsageError } from '../errors.ts';
import { inOrder, namesIn } from '../lists.ts';
import { teamOf } from '../names.ts';
import type { Column, Row } from '../output.ts';
import { newestTags } from '../tag-lists.ts';

const COLUMNS: readonly Column[] = [
  { name: 'team' },
  { name: 'artifact' },
  { name: 'tag' },
  { name: 'created_time', title: 'Created' },
  { name: 'created_by', title: 'By' },
  { name: 'status' },
  { name: 'status_reason' },
];

/** Without an artifact there are many of them. */
const LIMIT = 20;
const LIMIT_OF_EACH = 3;
const REQUESTS_AT_ONCE = 4;

/** What a registry that checks images says of them; ours doesn't. */
const UNCHECKED = 'Not Processed';

export async function run({ input, client, output }: CommandContext): Promise<void> {
  const team = teamOf(input);
  const given = input.operandsFrom(1).toSorted();
  const limit = input.count('limit', 0) ?? (given.length > 0 ? LIMIT : LIMIT_OF_EACH);
  const registry = await client();
  const artifacts = given.length > 0 ? given : artifactsOf(registry, team);
  const rows = inOrder(artifacts, REQUESTS_AT_ONCE, (artifact) =>
    rowsOf(registry, team, artifact, limit),
  );
  await output.table(COLUMNS, rows);
}

async function* artifactsOf(client: Client, team: string): AsyncGenerator<string> {
  let hasSome = false;
  for await (const names of namesIn(client, pathOf('teams', team, 'artifacts'))) {
    hasSome ||= names.length > 0;
    yield* names;
  }
  if (hasSome) return;
  throw new UsageError(
    `The Team you are looking for does not exist or we could not find any artifacts of ${team}! Please double check for spelling mistakes.`,
  );
}

async function rowsOf(
  client: Client,
  team: string,
  artifact: string,
  limit: number,
): Promise<readonly Row[]> {
  const tags = await newestTags(client, team, artifact, limit);
  return tags.map(({ name, createdTime, createdBy, members }) => ({
    team,
    artifact,
    tag: name,
    created_time: createdTime,
    created_by: createdBy,
    status: memberOrDefault(members, 'status'),
    status_reason: memberOrDefault(members, 'status_reason'),
  }));
}

function memberOrDefault(members: unknown, name: string): unknown {
  const value = memberOf(members, name);
  return value === undefined ? UNCHECKED : value;
}
