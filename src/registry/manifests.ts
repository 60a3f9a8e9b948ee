import { LRUCache } from 'lru-cache';
import type { Log } from '../log.ts';
import type { MetadataStore } from '../meta/metadata-store.ts';
import type {
  ManifestPushResult,
  ManifestRecord,
  TagList,
  TagRecord,
} from '../meta/records/manifest-records.ts';
import { type Digest, digestAlgorithm, digestBytes } from '../oci/digest.ts';
import { OciError } from '../oci/error.ts';
import { parseManifest } from '../oci/manifest.ts';
import type { Page } from '../oci/page.ts';
import type { Principal } from '../oci/principal.ts';
import { LATEST, type Reference, type Tag } from '../oci/reference.ts';
import type { Referrer } from '../oci/referrer.ts';
import type { RepositoryName } from '../oci/repository-name.ts';
import { readScmHeader } from '../oci/scm-source.ts';
import { SharedQuery } from './shared-query.ts';
import { TagLists } from './tag-lists.ts';

/** Memory for manifests that were read; they can't change. */
const CACHE_BYTES = 32 * 1024 * 1024;
/** What an entry costs besides its bytes. */
const ENTRY_BYTES = 512;
const MAX_CACHED_TAGS = 50_000;
/** Of the missing ones, in an answer. */
const MAX_SHOWN_DIGESTS = 20;

/** A manifest as a reference found it. */
export interface FoundManifest extends ManifestRecord {
  /** True: the reference will always find this manifest. */
  readonly isFixed: boolean;
}

/** What a push says beside the manifest's bytes. */
export interface ManifestHeaders {
  readonly contentType: string | undefined;
  /** X-SCM-Source. */
  readonly scmSource?: string | undefined;
}

export interface PushedManifest {
  readonly digest: Digest;
  readonly subject: Digest | undefined;
}

/** Manifests and tags of repositories: push, pull, lists. */
export class Manifests {
  readonly #metadata: MetadataStore;
  readonly #log: Log;
  readonly #manifests = new LRUCache<string, ManifestRecord>({
    maxSize: CACHE_BYTES,
    sizeCalculation: (record) => record.bytes.length + ENTRY_BYTES,
  });
  readonly #immutableTags = new LRUCache<string, Digest>({ max: MAX_CACHED_TAGS });
  readonly #tagQueries = new SharedQuery<TagRecord | undefined>();
  readonly #tagLists: TagLists;
  readonly #onStored: () => void;

  /** @param onStored told of each manifest that was stored */
  constructor(metadata: MetadataStore, log: Log, onStored: () => void) {
    this.#metadata = metadata;
    this.#tagLists = new TagLists(metadata.manifests);
    this.#log = log;
    this.#onStored = onStored;
  }

  /** @throws OciError MANIFEST_UNKNOWN */
  async find(repository: RepositoryName, reference: Reference): Promise<FoundManifest> {
    if (reference.kind === 'digest') {
      return { ...(await this.#byDigest(repository, reference.digest)), isFixed: true };
    }
    const { digest, isImmutable } = await this.#resolveTag(repository, reference.tag);
    return { ...(await this.#byDigest(repository, digest)), isFixed: isImmutable };
  }

  /**
   * Stores a manifest and sets tags to it: all, or nothing. A push by digest must have that digest.
   * @throws OciError MANIFEST_INVALID, DIGEST_INVALID, MANIFEST_BLOB_UNKNOWN, TAG_INVALID
   */
  async push(
    repository: RepositoryName,
    reference: Reference,
    tags: readonly Tag[],
    bytes: Uint8Array,
    { contentType, scmSource: scmHeader }: ManifestHeaders,
    principal: Principal,
  ): Promise<PushedManifest> {
    const digest = digestOfPush(reference, bytes);
    const manifest = parseManifest(bytes, contentType);
    const scmSource = scmHeader === undefined ? undefined : readScmHeader(scmHeader);
    const allTags = [...new Set(reference.kind === 'tag' ? [reference.tag, ...tags] : tags)];
    const push = { repository, digest, bytes, manifest, tags: allTags, principal, scmSource };
    const result = await this.#metadata.manifests.push(push);
    const who = { repository, digest, tags: allTags, uid: principal.uid };
    if (result.kind === 'stored') this.#log.info(who, 'stored manifest');
    else this.#log.info({ ...who, reason: result.kind }, 'refused manifest');
    throwUnlessStored(result);
    this.#onStored();
    return { digest, subject: manifest.subject?.digest };
  }

  /** @throws OciError NAME_UNKNOWN */
  async listTags(repository: RepositoryName, page: Page): Promise<TagList> {
    const tags = await this.#tagLists.find(repository, page);
    if (!tags) throw new OciError('NAME_UNKNOWN', { detail: { name: repository } });
    return tags;
  }

  listRepositories(page: Page): Promise<string[]> {
    return this.#metadata.manifests.listRepositories(page);
  }

  listReferrers(
    repository: RepositoryName,
    subject: Digest,
    artifactType: string | undefined,
    page: Page,
  ): Promise<{ referrers: Referrer[]; hasMore: boolean }> {
    return this.#metadata.manifests.listReferrers(repository, subject, artifactType, page);
  }

  async #byDigest(repository: RepositoryName, digest: Digest): Promise<ManifestRecord> {
    const key = `${repository} ${digest}`;
    const known = this.#manifests.get(key);
    if (known) return known;
    const record = await this.#metadata.manifests.find(repository, digest);
    if (!record) throw unknownManifest(repository, digest);
    this.#manifests.set(key, record);
    return record;
  }

  /** Only what is immutable is remembered, and nothing is remembered as missing. */
  async #resolveTag(repository: RepositoryName, tag: Tag): Promise<TagRecord> {
    const key = `${repository}:${tag}`;
    const known = this.#immutableTags.get(key);
    if (known) return { digest: known, isImmutable: true };
    const record = await this.#tagQueries.ask(key, () =>
      this.#metadata.manifests.findTag(repository, tag),
    );
    if (!record) throw unknownManifest(repository, tag);
    if (record.isImmutable) this.#immutableTags.set(key, record.digest);
    return record;
  }
}

function digestOfPush(reference: Reference, bytes: Uint8Array): Digest {
  if (reference.kind === 'tag') return digestBytes('sha256', bytes);
  const actual = digestBytes(digestAlgorithm(reference.digest), bytes);
  if (actual === reference.digest) return actual;
  throw new OciError('DIGEST_INVALID', {
    message: `provided digest did not match the manifest: its digest is ${actual}, push it by that`,
    detail: { provided: reference.digest, actual },
  });
}

function throwUnlessStored(result: ManifestPushResult): void {
  if (result.kind === 'missing') {
    throw new OciError('MANIFEST_BLOB_UNKNOWN', {
      message: `manifest references content that this repository does not have: push it first (${result.digests[0]}${result.digests.length > 1 ? ` and ${result.digests.length - 1} more` : ''})`,
      detail: result.digests.slice(0, MAX_SHOWN_DIGESTS).map((digest) => ({ Digest: digest })),
    });
  }
  if (result.kind === 'refused') {
    const [refusal] = result.refusals;
    throw new OciError('TAG_INVALID', {
      message: refusal?.message ?? 'tag already exists',
      detail: { Tag: refusal?.tag },
    });
  }
}

function unknownManifest(repository: RepositoryName, reference: string): OciError {
  const what =
    reference === LATEST
      ? 'latest means the newest immutable tag of a repository, and this one has none'
      : `this repository does not have ${reference}`;
  return new OciError('MANIFEST_UNKNOWN', {
    message: `manifest unknown to registry: ${what}; /v2/${repository}/tags/list names its tags`,
    detail: { name: repository, reference },
  });
}
