import type { Client } from '../client.ts';
import type { CommandContext } from '../context.ts';
import { CliError } from '../errors.ts';
import { type Layer, type Repository, readLayers, repositoryPath } from '../image-manifest.ts';
import { type ArchiveEntry, archiveEntries, LayerUnreadable } from '../layer-archive.ts';
import { teamOf } from '../names.ts';
import type { Column, Row } from '../output.ts';
import { startProgress } from '../progress.ts';
import { newestTags } from '../tag-lists.ts';

const COLUMNS: readonly Column[] = [
  { name: 'layer_index', title: 'Idx' },
  { name: 'layer_id', maxWidth: 16 },
  { name: 'mode' },
  { name: 'name' },
  { name: 'size' },
  { name: 'created_time', title: 'Created' },
];
/** Of one layer what is sorted together, and so in memory at the same time. */
const MAX_SORTED = 100_000;
const MAX_SORTED_CHARACTERS = 64 * 1024 * 1024;

/** What one run looks at. */
interface Inspection {
  readonly client: Client;
  readonly context: CommandContext;
  readonly repository: Repository;
  /** Layers with files, of each tag. */
  readonly limit: number;
  readonly platform: string | undefined;
}

export async function run(context: CommandContext): Promise<void> {
  const { input, output } = context;
  const repository = { team: teamOf(input), artifact: input.operand(1) };
  const client = await context.client();
  const named = input.operandsFrom(2);
  const tags = named.length > 0 ? named : await tagNames(client, repository);
  const limit = input.count('limit') ?? 1;
  const platform = input.text('platform');
  const inspection = { client, context, repository, limit, platform };
  await output.table(COLUMNS, rowsOf(inspection, tags));
}

async function tagNames(client: Client, { team, artifact }: Repository): Promise<string[]> {
  const tags = await newestTags(client, team, artifact, 0);
  return tags.map(({ name }) => name);
}

async function* rowsOf(
  inspection: Inspection,
  tags: readonly string[],
): AsyncGenerator<readonly Row[], void, undefined> {
  const { client, repository, platform, limit } = inspection;
  for (const tag of tags) {
    const layers = await readLayers(client, repository, tag, platform);
    let found = 0;
    for (const [index, layer] of layers.entries()) {
      if (found >= limit) break;
      let hasEntries = false;
      for await (const entries of sortedEntries(inspection, layer)) {
        hasEntries ||= entries.length > 0;
        yield entries.map((entry) => rowOf(index, layer, entry));
      }
      if (hasEntries) found += 1;
    }
  }
}

/** A layer with more entries than can be sorted at once comes in parts, each sorted. */
async function* sortedEntries(
  { client, context, repository }: Inspection,
  { digest, sizeBytes }: Layer,
): AsyncGenerator<readonly ArchiveEntry[], void, undefined> {
  const { body } = await client.open(`${repositoryPath(repository)}/blobs/${digest}`);
  const progress = await startProgress(context.streams.stderr, digest.slice(0, 19), sizeBytes);
  let entries: ArchiveEntry[] = [];
  let characters = 0;
  try {
    for await (const entry of archiveEntries(counted(body, (bytes) => progress.add(bytes)))) {
      entries.push(entry);
      characters += entry.name.length;
      if (entries.length < MAX_SORTED && characters < MAX_SORTED_CHARACTERS) continue;
      progress.end();
      yield entries.toSorted(byName);
      entries = [];
      characters = 0;
    }
  } catch (error) {
    if (!(error instanceof LayerUnreadable)) throw error;
    throw new CliError(`The layer ${digest} ${error.message}.`, undefined, { cause: error });
  } finally {
    progress.end();
  }
  yield entries.toSorted(byName);
}

async function* counted(
  chunks: AsyncIterable<Uint8Array>,
  count: (bytes: number) => void,
): AsyncGenerator<Uint8Array, void, undefined> {
  for await (const chunk of chunks) {
    count(chunk.length);
    yield chunk;
  }
}

function byName(a: ArchiveEntry, b: ArchiveEntry): number {
  return a.name < b.name ? -1 : Number(a.name > b.name);
}

function rowOf(index: number, { digest }: Layer, entry: ArchiveEntry): Row {
  return {
    layer_index: index,
    layer_id: digest,
    mode: (entry.mode & 0o7777).toString(8).padStart(4, '0'),
    name: entry.name,
    size: entry.sizeBytes,
    created_time: entry.modified,
  };
}
