import type { IngestUsage } from '../metrics.ts';
import type { BodyEnd, ByteSource } from '../oci/byte-source.ts';
import type { Digest, DigestAlgorithm } from '../oci/digest.ts';

/** A state that a digest engine left, with the engine that can load it. */
export interface DigestState {
  readonly engine: string;
  readonly state: Uint8Array;
}

/**
 * How the bytes of an append are digested.
 * - whole: from the upload's first byte, fast; leaves a digest that no later append can continue
 * - resumable: from the first byte or from a saved state; leaves a state as well
 * - none: earlier bytes are missing in every state, so that these need not be digested now
 */
export type DigestPlan =
  | { readonly kind: 'whole'; readonly algorithm: DigestAlgorithm }
  | {
      readonly kind: 'resumable';
      readonly algorithm: DigestAlgorithm;
      readonly from: DigestState | undefined;
    }
  | { readonly kind: 'none' };

/** An object that is closed and durable, and the digest of the upload's bytes up to its end, where known. */
export interface ClosedSegment {
  readonly key: string;
  readonly sizeBytes: number;
  readonly digest: Digest | undefined;
  readonly state: DigestState | undefined;
}

export interface AppendRequest {
  readonly source: ByteSource;
  readonly plan: DigestPlan;
  /** The only length that is accepted; any other ends in LengthMismatch and leaves nothing. */
  readonly expectedBytes: number | undefined;
  /** Commits a segment. Called one at a time, in order; when it rejects, the append fails with its error. */
  readonly commit: (segment: ClosedSegment) => Promise<void>;
  /** The sender has gone: an append that waits for memory then doesn't begin any more. */
  readonly signal?: AbortSignal;
}

/** A worker thread died with the append. Committed segments are whole; the rest is lost. */
export class WorkerDied extends Error {
  override readonly name = 'WorkerDied';
}

/** The body was longer or shorter than AppendRequest.expectedBytes. */
export class LengthMismatch extends Error {
  override readonly name = 'LengthMismatch';
  readonly expectedBytes: number;

  constructor(expectedBytes: number) {
    super(`the body doesn't have the ${expectedBytes} bytes that were announced`);
    this.expectedBytes = expectedBytes;
  }
}

/** Digests and writes bytes in worker threads. */
export interface Ingest {
  /**
   * Stores a body. Resolves when all its segments are durable and committed, also when the sender went away in
   * the middle: then what arrived is kept.
   * @throws LengthMismatch, WorkerDied, StoreFull, StoreUnavailable, and what `commit` throws
   */
  append(request: AppendRequest): Promise<BodyEnd>;
  /**
   * Digests stored objects, in order. At most a few at a time; others wait.
   * @throws WorkerDied, ObjectNotFound, StoreUnavailable
   */
  digestStored(
    segments: readonly { readonly key: string; readonly sizeBytes: number }[],
    algorithm: DigestAlgorithm,
  ): Promise<Digest>;
  /** True while an append is under way. */
  readonly isBusy: boolean;
  /** How much of threads and memory is in use. */
  usage(): IngestUsage;
  /** Resolves when a thread has answered. @throws Error */
  ping(): Promise<void>;
  /** Ends the threads. Appends under way fail with WorkerDied. */
  close(): Promise<void>;
}
