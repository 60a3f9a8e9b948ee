import type { Digest } from '../../oci/digest.ts';
import type { Manifest } from '../../oci/manifest.ts';
import type { ManifestMediaType } from '../../oci/media-type.ts';
import type { Page } from '../../oci/page.ts';
import type { Principal } from '../../oci/principal.ts';
import type { Tag } from '../../oci/reference.ts';
import type { Referrer } from '../../oci/referrer.ts';
import type { RepositoryName } from '../../oci/repository-name.ts';
import type { ScmSource } from '../../oci/scm-source.ts';

export interface ManifestRecord {
  readonly digest: Digest;
  readonly mediaType: ManifestMediaType;
  /** Exactly as they were pushed. */
  readonly bytes: Uint8Array;
}

/** A tag as it stands. */
export interface TagRecord {
  readonly digest: Digest;
  /** True: it will never name another digest. */
  readonly isImmutable: boolean;
}

/** A page of a repository's tags. */
export interface TagList {
  /** Sorted by bytes. */
  readonly names: readonly string[];
  /** Another one since the repository got a tag: the same page of the same version has the same names. */
  readonly version: string;
}

export interface ManifestPush {
  readonly repository: RepositoryName;
  readonly digest: Digest;
  readonly bytes: Uint8Array;
  readonly manifest: Manifest;
  /** All are set, or none. */
  readonly tags: readonly Tag[];
  readonly principal: Principal;
  /** Of the tags: what the header of the push says. A tag that has one, and stays as it is, keeps its own. */
  readonly scmSource: ScmSource | undefined;
}

export type ManifestPushResult =
  | { readonly kind: 'stored' }
  /** The tags that may not be set so; their refusal is committed as tag events, and nothing else is. */
  | { readonly kind: 'refused'; readonly refusals: readonly { tag: Tag; message: string }[] }
  /** Blobs or manifests that the repository doesn't have. */
  | { readonly kind: 'missing'; readonly digests: readonly Digest[] };

export interface ManifestRecords {
  push(push: ManifestPush): Promise<ManifestPushResult>;
  find(repository: RepositoryName, digest: Digest): Promise<ManifestRecord | undefined>;
  /** `latest` finds the newest immutable tag. */
  findTag(repository: RepositoryName, tag: Tag): Promise<TagRecord | undefined>;
  /** Undefined when the repository doesn't exist. */
  listTags(repository: RepositoryName, page: Page): Promise<TagList | undefined>;
  /** That of `listTags`, without the names: costs the same however many there are. */
  tagsVersion(repository: RepositoryName): Promise<string | undefined>;
  /**
   * Manifests whose subject is `subject`, and those that an index under its referrers tag lists, oldest first; `page.last` is the digest of the last one seen. A page ends
   * early where the manifests on it are large.
   */
  listReferrers(
    repository: RepositoryName,
    subject: Digest,
    artifactType: string | undefined,
    page: Page,
  ): Promise<{ referrers: Referrer[]; hasMore: boolean }>;
  /** Repositories that have a manifest, sorted by bytes. */
  listRepositories(page: Page): Promise<string[]>;
}
