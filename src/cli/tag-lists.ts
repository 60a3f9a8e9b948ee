import { type Client, memberOf, pathOf } from './client.ts';
import { CliError, EXIT, hasStatus, UsageError } from './errors.ts';
import { textOf } from './lists.ts';
import { secondsOf } from './times.ts';

const MAX_PAGE = 1000;

/** A tag as the registry lists it; the original's has members that ours doesn't have. */
export interface ListedTag {
  readonly name: string;
  readonly createdTime: number | null;
  readonly createdBy: string;
  /** All that came. */
  readonly members: unknown;
}

/** There is no such artifact: every artifact has a tag. */
export class NoTagsError extends UsageError {
  constructor(team: string, artifact: string) {
    super(
      `Artifact or Team does not exist! ${team}/${artifact} has no tags: please double check for spelling mistakes.`,
    );
  }
}

/**
 * The newest tags of an artifact, oldest first. A registry that doesn't know the order sends all.
 * @param limit 0: all
 * @throws NoTagsError; CliError where they are refused
 */
export async function newestTags(
  client: Client,
  team: string,
  artifact: string,
  limit: number,
): Promise<readonly ListedTag[]> {
  const page = limit === 0 ? {} : { order: 'desc', limit: Math.min(limit, MAX_PAGE) };
  const path = pathOf('teams', team, 'artifacts', artifact, 'tags');
  const entries: unknown[] = [];
  try {
    for await (const part of client.pages(path, page)) {
      for (const entry of part) entries.push(entry);
      if (limit > 0 && entries.length >= limit) break;
    }
  } catch (error) {
    throw explain(error, team, artifact);
  }
  if (entries.length === 0) throw new NoTagsError(team, artifact);
  return byAge(entries).slice(-limit).map(toTag);
}

/** One tag; undefined where the registry doesn't have it, or can't tell of a single one. */
export async function findTag(
  client: Client,
  ...names: readonly [team: string, artifact: string, tag: string]
): Promise<ListedTag | undefined> {
  const [team, artifact, tag] = names;
  try {
    const { value } = await client.json(pathOf('teams', team, 'artifacts', artifact, 'tags', tag));
    return toTag(value);
  } catch (error) {
    if (hasStatus(error, 404)) return undefined;
    throw explain(error, team, artifact);
  }
}

function explain(error: unknown, team: string, artifact: string): unknown {
  if (hasStatus(error, 404)) return new NoTagsError(team, artifact);
  if (!hasStatus(error, 403)) return error;
  const detail = error.detail === undefined ? '' : `: ${error.detail}`;
  return new CliError(`You can't get all ${team}/${artifact}'s tags${detail}.`, EXIT.refused, {
    cause: error,
  });
}

/** Times of one form sort as texts; where some are missing, the registry's order counts. */
function byAge(entries: readonly unknown[]): readonly unknown[] {
  const created = entries.map((entry) => textOf(entry, 'created'));
  if (created.includes(undefined)) return entries;
  return entries.toSorted((a, b) => compare(textOf(a, 'created'), textOf(b, 'created')));
}

function compare(a = '', b = ''): number {
  return a < b ? -1 : Number(a > b);
}

function toTag(entry: unknown): ListedTag {
  return {
    name: textOf(entry, 'name') ?? '',
    createdTime: secondsOf(memberOf(entry, 'created')),
    createdBy: textOf(entry, 'created_by') ?? '',
    members: entry,
  };
}
