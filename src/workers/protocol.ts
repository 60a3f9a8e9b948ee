import type { MessagePort } from 'node:worker_threads';
import type { DigestAlgorithm } from '../oci/digest.ts';
import type { StoreLocation } from '../storage/open-store.ts';
import type { ClosedSegment, DigestPlan } from './ingest.ts';

/*
 * Between the HTTP thread and the worker that runs an append, over one MessagePort:
 *
 *   HTTP thread                          worker
 *                             ◀───────   started
 *     bytes, bytes, bytes …   ───────▶   writes and digests
 *                             ◀───────   spent (the buffer goes home), one for each
 *                             ◀───────   segment (closed and durable)
 *     cut                     ───────▶   closes the segment; more bytes go into a new one
 *     end                     ───────▶   closes the last segment
 *     cancel                  ───────▶   leaves nothing of the open segment
 *                             ◀───────   ended, the last word
 *
 * All of it goes through the one port, since order holds within a port alone. The pool's own promise tells of a
 * worker that died.
 */

export interface AppendTask {
  readonly port: MessagePort;
  readonly store: StoreLocation;
  readonly plan: DigestPlan;
  /** A segment is closed when it has this many bytes. */
  readonly segmentBytes: number;
}

/** A body that is stored as one segment, all of it at once. */
export interface StoreTask {
  readonly store: StoreLocation;
  readonly plan: DigestPlan;
  /** At least one. */
  readonly bytes: Uint8Array;
}

export interface DigestTask {
  readonly store: StoreLocation;
  readonly segments: readonly { readonly key: string; readonly sizeBytes: number }[];
  readonly algorithm: DigestAlgorithm;
}

export type ToWorker =
  /** The first `length` bytes of a buffer, which is the worker's until it is spent. */
  | { readonly kind: 'bytes'; readonly buffer: SharedArrayBuffer; readonly length: number }
  | { readonly kind: 'cut' }
  | { readonly kind: 'end' }
  | { readonly kind: 'cancel' };

export type FromWorker =
  | { readonly kind: 'started' }
  | { readonly kind: 'spent'; readonly buffer: SharedArrayBuffer; readonly length: number }
  | { readonly kind: 'segment'; readonly segment: ClosedSegment }
  | { readonly kind: 'ended'; readonly result: TaskResult<'stored' | 'cancelled'> };

/** Errors of the store lose their class on the way between threads; this keeps what kind they were. */
export type TaskResult<T> =
  | { readonly kind: 'done'; readonly value: T }
  | {
      readonly kind: 'failed';
      readonly reason: 'not-found';
      readonly key: string;
    }
  | {
      readonly kind: 'failed';
      readonly reason: 'full' | 'unavailable';
      readonly message: string;
    };

/** What a thread did since it last told, sent to the pool a little later: nobody waits for it. */
export interface ThreadReport {
  readonly kind: 'report';
  readonly digested: readonly {
    readonly engine: string;
    readonly bytes: number;
    readonly seconds: number;
  }[];
  readonly storeRequests: readonly {
    readonly operation: string;
    readonly outcome: string;
    readonly seconds: number;
  }[];
  /** Why chunks are digested by hash-wasm, told once by each thread that does so. */
  readonly slowDigests: string | undefined;
}

/** A thread has loaded its code, and may be ended from now on. */
export interface ThreadLoaded {
  readonly kind: 'loaded';
  readonly threadId: number;
}

/** What a thread tells the pool apart from its tasks. */
export type ThreadMessage = ThreadReport | ThreadLoaded;
