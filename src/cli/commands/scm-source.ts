import { type Client, memberOf, pathOf } from '../client.ts';
import type { CommandContext } from '../context.ts';
import { hasStatus } from '../errors.ts';
import { inOrder } from '../lists.ts';
import { teamOf } from '../names.ts';
import type { Column, Row } from '../output.ts';
import { findTag, type ListedTag, newestTags } from '../tag-lists.ts';

const COLUMNS: readonly Column[] = [
  { name: 'tag' },
  { name: 'author' },
  { name: 'url', title: 'URL' },
  { name: 'revision', maxWidth: 10 },
  { name: 'status' },
  { name: 'created_time', title: 'Created' },
  { name: 'created_by', title: 'By' },
];

const REQUESTS_AT_ONCE = 4;
const ROWS_AT_ONCE = 100;

export async function run({ input, client, output }: CommandContext): Promise<void> {
  const team = teamOf(input);
  const artifact = input.operand(1);
  const registry = await client();
  const given = input.operandsFrom(2);
  const tags =
    given.length > 0
      ? await tagsNamed(registry, team, artifact, given)
      : await newestTags(registry, team, artifact, input.count('limit', 0) ?? 0);
  const sorted = tags.toSorted((a, b) => (a.name < b.name ? -1 : Number(a.name > b.name)));
  const rows = inOrder(sorted, REQUESTS_AT_ONCE, (tag) => rowOf(registry, team, artifact, tag));
  await output.table(COLUMNS, inBatches(rows));
}

/** What the registry knows of these tags, each; no more than the name where it doesn't know one. */
async function tagsNamed(
  client: Client,
  team: string,
  artifact: string,
  names: readonly string[],
): Promise<readonly ListedTag[]> {
  const found: ListedTag[] = [];
  for await (const tag of inOrder(names, REQUESTS_AT_ONCE, (name) =>
    findTag(client, team, artifact, name),
  )) {
    if (tag) found.push(tag);
  }
  // A registry of the original tells of all tags, or of none.
  const all = found.length < names.length ? await newestTags(client, team, artifact, 0) : found;
  return names.map(
    (name) =>
      all.find((tag) => tag.name === name) ?? {
        name,
        createdTime: null,
        createdBy: '',
        members: {},
      },
  );
}

async function rowOf(client: Client, team: string, artifact: string, tag: ListedTag): Promise<Row> {
  const source = await sourceOf(client, team, artifact, tag.name);
  return {
    tag: tag.name,
    author: memberOf(source, 'author'),
    url: memberOf(source, 'url'),
    revision: memberOf(source, 'revision'),
    status: memberOf(source, 'status'),
    created_time: tag.createdTime,
    created_by: tag.createdBy,
  };
}

/** Undefined where it isn't known: the row has the tag alone. */
async function sourceOf(client: Client, team: string, artifact: string, tag: string) {
  try {
    const path = pathOf('teams', team, 'artifacts', artifact, 'tags', tag, 'scm-source');
    return (await client.json(path)).value;
  } catch (error) {
    if (hasStatus(error, 404)) return undefined;
    throw error;
  }
}

async function* inBatches(rows: AsyncIterable<Row>): AsyncGenerator<readonly Row[]> {
  let batch: Row[] = [];
  for await (const row of rows) {
    batch.push(row);
    if (batch.length < ROWS_AT_ONCE) continue;
    yield batch;
    batch = [];
  }
  yield batch;
}
