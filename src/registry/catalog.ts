import type { MetadataStore } from '../meta/metadata-store.ts';
import type {
  Batches,
  FoundRepository,
  NamedTag,
  Part,
  TagDetails,
  TagListChoice,
  TagSummary,
  TeamStatistics,
} from '../meta/records/catalog-records.ts';
import type { TagEvent, TagEventFilter } from '../meta/records/event-records.ts';
import { OciError } from '../oci/error.ts';
import { LATEST, type Tag } from '../oci/reference.ts';
import type { RepositoryName } from '../oci/repository-name.ts';
import { SharedQuery } from './shared-query.ts';

/** What is in the registry, for people and programs that look for it: lists, search, statistics, the audit trail. */
export class Catalog {
  readonly #metadata: MetadataStore;
  readonly #overall = new SharedQuery<{ teams: number; storageBytes: number | undefined }>();

  constructor(metadata: MetadataStore) {
    this.#metadata = metadata;
  }

  listTeams(part: Part<string>): Batches<string> {
    return this.#metadata.catalog.listTeams(part);
  }

  listArtifacts(team: string, part: Part<string>): Batches<string> {
    return this.#metadata.catalog.listArtifacts(team, part);
  }

  /** By age. Its first batch may throw OciError NAME_UNKNOWN: there is none. */
  listTags(
    repository: RepositoryName,
    choice: TagListChoice,
    part: Part<Date>,
  ): Batches<TagSummary> {
    const tags = this.#metadata.catalog.listTags(repository, choice, part);
    if (part.after !== undefined) return tags;
    return unlessEmpty(tags, () => unknownRepository(repository));
  }

  /** @throws OciError MANIFEST_UNKNOWN */
  async findTag(repository: RepositoryName, tag: Tag): Promise<TagDetails> {
    const details = await this.#metadata.catalog.findTag(repository, tag);
    if (!details) throw unknownTag(repository, tag);
    return details;
  }

  /** The newest immutable tag, if there is one. */
  findLatest(repository: RepositoryName, latest: Tag): Promise<TagDetails | undefined> {
    return this.#metadata.catalog.findTag(repository, latest);
  }

  /** Repositories whose name has the text at the beginning of a word. */
  search(text: string, part: Part<FoundRepository>): Batches<FoundRepository> {
    return this.#metadata.catalog.search(text.toLowerCase(), part);
  }

  listNamesakes(name: string): Batches<string> {
    return this.#metadata.catalog.listNamesakes(name);
  }

  /**
   * The tags of the one image whose manifest's, index's or config's digest begins with `text`.
   * @param text with or without the digest's algorithm
   * @throws OciError MANIFEST_UNKNOWN; with status 412 when there are several images
   */
  async listTagsOfImage(
    text: string,
    hasSignatures: boolean,
    part: Part<NamedTag>,
  ): Promise<Batches<NamedTag>> {
    const { catalog } = this.#metadata;
    const found: string[] = [];
    let foundBy = '';
    for (const prefix of prefixesOf(text)) {
      const images = await catalog.findImages(prefix, hasSignatures, 2);
      found.push(...images);
      if (images.length > 0) foundBy = prefix;
    }
    if (found.length === 0) throw unknownImage(text);
    if (found.length > 1) throw ambiguousImage(text);
    return catalog.listTagsOfImages(foundBy, hasSignatures, part);
  }

  overall(): Promise<{ teams: number; storageBytes: number | undefined }> {
    return this.#overall.ask('', () => this.#metadata.statistics.overall());
  }

  teamStatistics(team: string, hasSignatures: boolean): Promise<TeamStatistics> {
    return this.#metadata.statistics.team(team, hasSignatures);
  }

  listTeamStatistics(hasSignatures: boolean, part: Part<string>): Batches<TeamStatistics> {
    return this.#metadata.statistics.listTeams(hasSignatures, part);
  }

  listEvents(
    filter: TagEventFilter,
    isNewestFirst: boolean,
    part: Part<string>,
  ): Batches<TagEvent> {
    return this.#metadata.events.list(filter, isNewestFirst, part);
  }

  /** Its first batch may throw OciError MANIFEST_UNKNOWN: nothing ever happened to such a tag. */
  listTagEvents(
    repository: RepositoryName,
    tag: Tag,
    isNewestFirst: boolean,
    part: Part<string>,
  ): Batches<TagEvent> {
    const events = this.listEvents({ repository, tag }, isNewestFirst, part);
    if (part.after !== undefined) return events;
    return unlessEmpty(events, () => unknownTag(repository, tag));
  }
}

async function* unlessEmpty<T>(batches: Batches<T>, error: () => OciError): Batches<T> {
  let isFirst = true;
  for await (const batch of batches) {
    if (isFirst && batch.length === 0) throw error();
    isFirst = false;
    yield batch;
  }
}

/** Nothing else can begin a digest. */
function prefixesOf(text: string): string[] {
  if (/^sha(256|512):[0-9a-f]*$/.test(text)) return [text];
  return /^[0-9a-f]+$/.test(text) ? [`sha256:${text}`, `sha512:${text}`] : [];
}

/** Of text that a client sent, in an answer. */
function shown(text: string): string {
  return text.slice(0, 200);
}

function unknownRepository(repository: string): OciError {
  return new OciError('NAME_UNKNOWN', {
    message: `${repository} has no tags, or does not exist: GET /teams/TEAM/artifacts names what there is`,
  });
}

function unknownTag(repository: string, tag: string): OciError {
  const what =
    tag === LATEST
      ? 'latest means the newest immutable tag, and there is none'
      : `there is no tag ${shown(tag)}`;
  return new OciError('MANIFEST_UNKNOWN', { message: `${what} in ${repository}` });
}

function unknownImage(text: string): OciError {
  return new OciError('MANIFEST_UNKNOWN', {
    message: `no image with a tag has a digest that begins with ${shown(text)}: give the first digits of the digest of its manifest, index or config`,
  });
}

function ambiguousImage(text: string): OciError {
  return new OciError('UNSUPPORTED', {
    status: 412,
    message: `more than one image has a digest that begins with ${shown(text)}: give more of its digits`,
  });
}
