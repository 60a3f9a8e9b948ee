import type { Digest } from '../../oci/digest.ts';
import { LATEST, type Tag } from '../../oci/reference.ts';
import type { RepositoryName } from '../../oci/repository-name.ts';
import type { Mutability } from '../../oci/tag-rule.ts';
import type {
  Batches,
  CatalogRecords,
  FoundRepository,
  NamedTag,
  Part,
  TagDetails,
  TagListChoice,
  TagSummary,
} from '../records/catalog-records.ts';
import * as statements from './catalog-statements.ts';
import type { Database } from './database.ts';
import { type Lists, mapRows } from './lists.ts';
import { toDigest, toMediaType } from './rows.ts';

interface TagRow {
  name: string;
  created: Date;
  created_by: string;
  image: string;
}

interface DetailsRow extends TagRow {
  digest: string;
  media_type: string;
  mutability: Mutability;
  layers_bytes: number;
}

/** What sorts behind every digest that begins with a prefix, and before all others: hex digits end at f. */
function endOf(prefix: string): string {
  return `${prefix}g`;
}

export class PgCatalogRecords implements CatalogRecords {
  readonly #database: Database;
  readonly #lists: Lists;

  constructor(database: Database, lists: Lists) {
    this.#database = database;
    this.#lists = lists;
  }

  listTeams({ after = '', limit }: Part<string>): Batches<string> {
    const rows = this.#lists.read<{ team: string }>(statements.TEAMS, [after], limit);
    return mapRows(rows, ({ team }) => team);
  }

  listArtifacts(team: string, { after = '', limit }: Part<string>): Batches<string> {
    const values = [team, after];
    const rows = this.#lists.read<{ artifact: string }>(statements.ARTIFACTS, values, limit);
    return mapRows(rows, ({ artifact }) => artifact);
  }

  listTags(
    repository: RepositoryName,
    { hasSignatures, isNewestFirst }: TagListChoice,
    { after, limit }: Part<Date>,
  ): Batches<TagSummary> {
    const [all, listed] = isNewestFirst
      ? [statements.NEWEST_TAGS, statements.NEWEST_LISTED_TAGS]
      : [statements.ALL_TAGS, statements.LISTED_TAGS];
    const statement = hasSignatures ? all : listed;
    const values = [repository, after ?? (isNewestFirst ? 'infinity' : '-infinity')];
    return mapRows(this.#lists.read<TagRow>(statement, values, limit), toSummary);
  }

  async findTag(repository: RepositoryName, tag: Tag): Promise<TagDetails | undefined> {
    const [row] =
      tag === LATEST
        ? await this.#database.query<DetailsRow>(statements.LATEST_DETAILS, [repository])
        : await this.#database.query<DetailsRow>(statements.TAG_DETAILS, [repository, tag]);
    return (
      row && {
        ...toSummary(row),
        digest: toDigest(row.digest),
        mediaType: toMediaType(row.media_type),
        mutability: row.mutability,
        layersBytes: row.layers_bytes,
      }
    );
  }

  search(text: string, { after, limit }: Part<FoundRepository>): Batches<FoundRepository> {
    // No name has such a character, so it sorts behind all that begins with the text.
    const end = `${text}\u{10ffff}`;
    const values = [text, end, after?.word ?? text, after?.name ?? ''];
    return this.#lists.read<{ name: string; word: string }>(statements.SEARCH, values, limit);
  }

  listNamesakes(name: string): Batches<string> {
    const rows = this.#lists.read<{ name: string }>(statements.NAMESAKES, [name], undefined);
    return mapRows(rows, (row) => row.name);
  }

  async findImages(prefix: string, hasSignatures: boolean, limit: number): Promise<Digest[]> {
    const found: Digest[] = [];
    while (found.length < limit) {
      const values = [prefix, endOf(prefix), hasSignatures, found];
      const [row] = await this.#database.query<{ image: string }>(statements.ANOTHER_IMAGE, values);
      if (!row) break;
      found.push(toDigest(row.image));
    }
    return found;
  }

  listTagsOfImages(
    prefix: string,
    hasSignatures: boolean,
    { after, limit }: Part<NamedTag>,
  ): Batches<NamedTag> {
    const values = [
      prefix,
      endOf(prefix),
      hasSignatures,
      after?.repository ?? '',
      after?.tag ?? '',
    ];
    return this.#lists.read<{ repository: string; tag: string }>(
      statements.TAGS_OF_IMAGES,
      values,
      limit,
    );
  }
}

function toSummary(row: TagRow): TagSummary {
  const { name, created, created_by: createdBy } = row;
  return { name, created, createdBy, image: toDigest(row.image) };
}
