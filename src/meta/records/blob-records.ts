import type { Digest } from '../../oci/digest.ts';
import type { RepositoryName } from '../../oci/repository-name.ts';

/** A run of a blob's or an upload's bytes: one object in the store, written once. */
export interface Segment {
  readonly key: string;
  readonly sizeBytes: number;
}

export interface BlobRecord {
  readonly sizeBytes: number;
  readonly segments: readonly Segment[];
}

export interface FragmentedBlob {
  readonly digest: Digest;
  readonly segments: readonly Segment[];
}

export interface BlobRecords {
  /** The blob, if the repository links it. */
  find(repository: RepositoryName, digest: Digest): Promise<BlobRecord | undefined>;
  /** Links a blob that `from` links to `to` also. @returns false when `from` doesn't link it. */
  mount(digest: Digest, from: RepositoryName, to: RepositoryName): Promise<boolean>;
  /** Up to `limit` blobs of several segments, by digest, those behind `after`. */
  fragmented(limit: number, after: Digest | undefined): Promise<FragmentedBlob[]>;
  /**
   * Makes `joined` the blob's only segment, provided that it still has those of `blob` and the new object isn't being
   * deleted. The replaced objects go to the deletion list, where their time begins `keepMs` from now.
   * @returns false when nothing is changed.
   */
  join(blob: FragmentedBlob, joined: Segment, keepMs: number): Promise<boolean>;
}
