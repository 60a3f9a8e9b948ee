import type { Digest } from '../../oci/digest.ts';
import type { Tag } from '../../oci/reference.ts';
import type { RepositoryName } from '../../oci/repository-name.ts';
import type { FoundScmSource, ScmFinding, ScmReport } from '../../oci/scm-source.ts';
import type { Segment } from './blob-records.ts';

/** A blob to look for a source in, and its claim. */
export interface ScmScan {
  readonly digest: Digest;
  readonly segments: readonly Segment[];
  /** This one included. */
  readonly attempts: number;
}

/** What the source of an image was found to be in a given time. */
export interface TimelyScmSource {
  /** False: more may be found in time. True: the answer is the same from now on. */
  readonly isDecided: boolean;
  readonly source: FoundScmSource | undefined;
}

/** Sources of images: what was found, and where it is to be looked for. */
export interface ScmSourceRecords {
  /** `latest` means the newest immutable tag. @returns undefined when there is no such tag */
  ofTag(repository: RepositoryName, tag: Tag): Promise<ScmReport | undefined>;
  /** Of those tags that exist, by their names; `latest` is a name like any other here. */
  ofTags(repository: RepositoryName, tags: readonly Tag[]): Promise<Map<string, ScmReport>>;
  /** Without the headers of tags. @returns undefined when the repository doesn't have the manifest */
  ofManifest(repository: RepositoryName, digest: Digest): Promise<ScmReport | undefined>;
  /**
   * The source of what was pushed as a tag, of all that was found until then, by the database's clock. The tag may
   * name something else by now: then the header of its push, which went with it, is no part of it.
   */
  foundInTime(
    repository: RepositoryName,
    tag: Tag,
    digest: Digest,
    until: Date,
  ): Promise<TimelyScmSource>;
  /**
   * Claims the smallest blob of more than `overBytes` and up to `upToBytes` that is due and nobody else has claimed,
   * for so long.
   */
  claimScan(overBytes: number, upToBytes: number, claimMs: number): Promise<ScmScan | undefined>;
  /** The claim lasts so long from now. */
  renewClaim(digest: Digest, claimMs: number): Promise<void>;
  /** The scan is over, with what it found, if anything. */
  endScan(
    digest: Digest,
    found: { readonly origin: 'file' | 'label'; readonly finding: ScmFinding } | undefined,
  ): Promise<void>;
  /** The scan is over: it won't be tried again. */
  failScan(digest: Digest, reason: string): Promise<void>;
  /** Gives the claim back. The scan is due in so long; an attempt that `counts` is one of a few. */
  postponeScan(digest: Digest, forMs: number, counts: boolean): Promise<void>;
}
