import type { Digest, DigestAlgorithm } from '../../oci/digest.ts';
import type { Principal } from '../../oci/principal.ts';
import type { RepositoryName } from '../../oci/repository-name.ts';
import type { Segment } from './blob-records.ts';

/**
 * What is known of the digest of an upload's first `offset` bytes.
 * `digest` is their digest; `state` lets a digest engine go on from there. Either may be missing.
 */
export interface DigestCheckpoint {
  readonly digest: Digest | undefined;
  readonly engine: string | undefined;
  readonly state: Uint8Array | undefined;
}

export interface UploadSession {
  readonly id: string;
  readonly repository: RepositoryName;
  readonly algorithm: DigestAlgorithm;
  /** Bytes that are stored and committed. */
  readonly offset: number;
  readonly checkpoint: DigestCheckpoint;
  readonly segments: readonly Segment[];
  /** Each append sets it anew. */
  readonly expiresInMs: number;
  /** Set when the closing PUT was committed: the blob that the upload became. */
  readonly finished: Digest | undefined;
  /** It was discarded, or its time is over. */
  readonly isOver: boolean;
}

/** An upload that has no row yet. */
export interface NewUpload {
  readonly id: string;
  readonly repository: RepositoryName;
  readonly algorithm: DigestAlgorithm;
  /** Who pushes it. */
  readonly principal: Principal;
  readonly expiresAfterMs: number;
}

export interface UploadRecords {
  /** @returns undefined when there is, or was not long ago, an upload with that id */
  create(upload: NewUpload): Promise<UploadSession | undefined>;
  find(repository: RepositoryName, id: string): Promise<UploadSession | undefined>;
  /**
   * Adds a closed segment: offset += its size, provided that the offset still is `expectedOffset` and the segment's
   * object isn't being deleted.
   * @returns false when it is not, and nothing is changed.
   */
  append(
    id: string,
    expectedOffset: number,
    segment: Segment,
    checkpoint: DigestCheckpoint,
    expiresAfterMs: number,
  ): Promise<boolean>;
  /**
   * Makes an upload that has a segment already.
   * @param digest of the segment
   * @param lockName a lock that nobody may hold meanwhile
   * @returns false when somebody does, there is or was an upload with that id, or the segment's object is being deleted;
   * nothing is changed then
   */
  createWith(
    upload: NewUpload,
    segment: Segment,
    digest: Digest | undefined,
    lockName: string,
  ): Promise<boolean>;
  /**
   * The closing PUT, in one transaction: blob and segments (or the existing blob, the new objects going to the
   * deletion list), the link to the repository, the upload as finished.
   * @returns false when the upload no longer is open at the session's offset, and nothing is changed.
   */
  finish(session: UploadSession, digest: Digest, keepForMs: number): Promise<boolean>;
  /**
   * The same at once, for an upload all of whose bytes are known to have the digest.
   * @param lockName a lock that nobody may hold meanwhile
   * @returns the number of bytes; undefined when it isn't so, and nothing is changed
   */
  close(
    repository: RepositoryName,
    id: string,
    digest: Digest,
    keepForMs: number,
    lockName: string,
  ): Promise<number | undefined>;
  /**
   * Both at once: makes an upload that has a segment already, all of the blob.
   * @returns false as `createWith` does
   */
  put(
    upload: NewUpload,
    segment: Segment,
    digest: Digest,
    keepForMs: number,
    lockName: string,
  ): Promise<boolean>;
  /**
   * Ends an open upload; its objects go to the deletion list. What it was is remembered for `keepForMs`.
   * @returns false when there was none
   */
  discard(repository: RepositoryName, id: string, keepForMs: number): Promise<boolean>;
  /**
   * Discards up to `limit` open uploads whose time is over, and removes those that had ended before. @returns how many of both
   */
  expire(limit: number, keepForMs: number): Promise<number>;
}
