import type { Digest } from '../../oci/digest.ts';
import type { ManifestMediaType } from '../../oci/media-type.ts';
import type { Tag } from '../../oci/reference.ts';
import type { RepositoryName } from '../../oci/repository-name.ts';

/** Rows of a list, some at a time. */
export type Batches<T> = AsyncIterable<readonly T[]>;

/** A part of a sorted list: what is behind `after`. Without `limit` it is all of one snapshot, whatever its length. */
export interface Part<Key> {
  readonly after: Key | undefined;
  readonly limit: number | undefined;
}

/** A tag as lists show it. */
export interface TagSummary {
  readonly name: string;
  readonly created: Date;
  readonly createdBy: string;
  /** The config's digest where the tag names an image, else the digest that it names. */
  readonly image: Digest;
}

export interface TagDetails extends TagSummary {
  readonly digest: Digest;
  readonly mediaType: ManifestMediaType;
  readonly mutability: 'immutable' | 'mutable' | 'append-only';
  /** All layers together, those of an index's images too, each once. */
  readonly layersBytes: number;
}

/** A repository that a search found, and the part of its name that begins with what was searched. */
export interface FoundRepository {
  readonly name: string;
  readonly word: string;
}

export interface NamedTag {
  readonly repository: string;
  readonly tag: string;
}

export interface TeamStatistics {
  readonly team: string;
  readonly artifacts: number;
  readonly tags: number;
}

export interface TagListChoice {
  readonly hasSignatures: boolean;
  /** Else oldest first. */
  readonly isNewestFirst: boolean;
}

/** What people look for. Lists have what has a tag; signature tags count where `hasSignatures` says so. */
export interface CatalogRecords {
  /** Sorted by bytes, as all lists whose key is a name. */
  listTeams(part: Part<string>): Batches<string>;
  listArtifacts(team: string, part: Part<string>): Batches<string>;
  listTags(
    repository: RepositoryName,
    choice: TagListChoice,
    part: Part<Date>,
  ): Batches<TagSummary>;
  /** `latest` finds the newest immutable tag. */
  findTag(repository: RepositoryName, tag: Tag): Promise<TagDetails | undefined>;
  /** Repositories whose name has `text` at the beginning of a word; sorted by what begins with it. */
  search(text: string, part: Part<FoundRepository>): Batches<FoundRepository>;
  /** Names of repositories whose team or artifact is `name`. */
  listNamesakes(name: string): Batches<string>;
  /** Up to `limit` images that have a tag and whose manifest's, index's or config's digest begins with the prefix. */
  findImages(prefix: string, hasSignatures: boolean, limit: number): Promise<Digest[]>;
  /** The tags of what `findImages` finds; an index has those of its children, too. */
  listTagsOfImages(prefix: string, hasSignatures: boolean, part: Part<NamedTag>): Batches<NamedTag>;
}

export interface StatisticsRecords {
  /** Bytes of all blobs; undefined when there is none. */
  overall(): Promise<{ teams: number; storageBytes: number | undefined }>;
  team(team: string, hasSignatures: boolean): Promise<TeamStatistics>;
  listTeams(hasSignatures: boolean, part: Part<string>): Batches<TeamStatistics>;
}
