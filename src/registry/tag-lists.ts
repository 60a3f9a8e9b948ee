import { LRUCache } from 'lru-cache';
import type { ManifestRecords, TagList } from '../meta/records/manifest-records.ts';
import type { Page } from '../oci/page.ts';
import type { RepositoryName } from '../oci/repository-name.ts';
import { SharedQuery } from './shared-query.ts';

/** Memory for pages, by the characters of their names. */
const CACHE_CHARACTERS = 4 * 1024 * 1024;
/** What a name takes besides its characters, and a page besides its names. */
const NAME_CHARACTERS = 16;
const PAGE_CHARACTERS = 512;

/**
 * Pages of repositories' tags. Each is as it is in the database after it was asked for; one that was read before is given
 * again, as the same object, if the database says that its version is the same.
 */
export class TagLists {
  readonly #manifests: ManifestRecords;
  readonly #queries = new SharedQuery<TagList | undefined>();
  readonly #pages = new LRUCache<string, TagList>({
    maxSize: CACHE_CHARACTERS,
    sizeCalculation: ({ names }) =>
      names.reduce((sum, { length }) => sum + length + NAME_CHARACTERS, PAGE_CHARACTERS),
  });

  constructor(manifests: ManifestRecords) {
    this.#manifests = manifests;
  }

  /** Undefined when the repository doesn't exist. */
  find(repository: RepositoryName, page: Page): Promise<TagList | undefined> {
    const key = `${repository} ${page.limit} ${page.last ?? ''}`;
    return this.#queries.ask(key, () => this.#read(key, repository, page));
  }

  async #read(key: string, repository: RepositoryName, page: Page): Promise<TagList | undefined> {
    const known = this.#pages.get(key);
    if (known && known.version === (await this.#manifests.tagsVersion(repository))) return known;
    const list = await this.#manifests.listTags(repository, page);
    if (list) this.#pages.set(key, list);
    return list;
  }
}
