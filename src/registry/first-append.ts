import type { MetadataStore } from '../meta/metadata-store.ts';
import type { NewUpload } from '../meta/records/upload-records.ts';
import type { Metrics } from '../metrics.ts';
import type { ByteRange } from '../oci/byte-range.ts';
import { type ByteSource, type RequestSource, sourceOf } from '../oci/byte-source.ts';
import { type Digest, digestAlgorithm } from '../oci/digest.ts';
import type { BlobStore } from '../storage/blob-store.ts';
import type { ClosedSegment, Ingest } from '../workers/ingest.ts';
import { type AppendLocks, appendName } from './append-locks.ts';
import { clientGone } from './append-rules.ts';
import type { UploadCommits } from './upload-commits.ts';
import type { UploadIds } from './upload-ids.ts';
import type { UploadRequest } from './upload-request.ts';

/** Larger bodies don't gain by it. */
const SMALL_BYTES = 64 * 1024;
const MAX_BEGUN = 10_000;

export interface FirstAppendParts {
  readonly metadata: Pick<MetadataStore, 'uploads'>;
  readonly store: BlobStore;
  readonly ingest: Ingest;
  readonly metrics: Metrics;
  readonly expirationMs: number;
}

type Outcome = 'appended' | 'finished' | 'refused';

/** What became of a request's body. */
export interface FirstAppend {
  /** All of it, or none. */
  readonly appendedBytes: number;
  /** Left to be appended. */
  readonly rest: ByteSource | undefined;
  /** The upload is the blob that the closing PUT names. */
  readonly isFinished: boolean;
  /** When the body was refused as a first one: the moment at which it came, of performance.now(). */
  readonly refusedMs: number | undefined;
}

/**
 * First appends of uploads that this instance began, and has heard nothing of since, by PATCH or by a closing PUT with a body: most small
 * layers and configs are pushed so.
 * A small body that has come is stored at once, and one statement makes the upload's row with it if there is none yet and nobody
 * holds its lock: one round trip to the database instead of five. Until then this instance alone knows of the append.
 */
export class FirstAppends {
  readonly #parts: FirstAppendParts;
  readonly #ids: UploadIds;
  readonly #locks: AppendLocks;
  readonly #blobCommits: UploadCommits;
  /** The ids, the oldest first. */
  readonly #begun = new Set<string>();

  constructor(
    parts: FirstAppendParts,
    ids: UploadIds,
    locks: AppendLocks,
    blobCommits: UploadCommits,
  ) {
    this.#parts = parts;
    this.#ids = ids;
    this.#locks = locks;
    this.#blobCommits = blobCommits;
  }

  began(id: string): void {
    this.#begun.add(id);
    if (this.#begun.size <= MAX_BEGUN) return;
    const [oldest] = this.#begun;
    if (oldest !== undefined) this.forget(oldest);
  }

  /** Whatever is done to it next is no first append. */
  forget(id: string): void {
    this.#begun.delete(id);
  }

  /**
   * What isn't committed when the client has gone is no part of the upload, since another instance may have told the client so.
   * @param range a body with a range is left: it is to be digested so that others can follow
   * @param closing the digest that a closing PUT names: a body that has it finishes the upload
   */
  async append(
    { repository, id, principal, signal }: UploadRequest,
    source: RequestSource | undefined,
    range: ByteRange | undefined,
    closing?: Digest,
  ): Promise<FirstAppend> {
    const beganMs = performance.now();
    const untouched = { appendedBytes: 0, rest: source, isFinished: false, refusedMs: undefined };
    if (!source || range) return untouched;
    const algorithm = this.#begun.delete(id) ? this.#ids.read(repository, id) : undefined;
    // The client of one that hasn't begun may know already that it won't.
    if (!algorithm || signal.aborted) return untouched;
    const end = this.#locks.beginHere(id, signal);
    if (!end) return untouched;
    try {
      const whole = await source.takeWhole(SMALL_BYTES);
      if (!whole) return untouched;
      const { expirationMs: expiresAfterMs } = this.#parts;
      const upload: NewUpload = { id, repository, algorithm, principal, expiresAfterMs };
      const result = await this.#store(upload, whole, closing, signal);
      if (result !== 'refused') {
        const isFinished = result === 'finished';
        return { ...untouched, appendedBytes: whole.length, rest: undefined, isFinished };
      }
      if (signal.aborted) throw clientGone();
      return { ...untouched, rest: sourceOf(whole), refusedMs: beganMs };
    } finally {
      end();
    }
  }

  /** Refused: there is such an upload already, or the client has gone; nothing is changed. */
  async #store(
    upload: NewUpload,
    bytes: Uint8Array,
    closing: Digest | undefined,
    signal: AbortSignal,
  ): Promise<Outcome> {
    const { store, ingest, metrics } = this.#parts;
    let result: Outcome = 'refused';
    const commit = async (segment: ClosedSegment) => {
      if (!signal.aborted) result = await this.#commit(upload, segment, closing);
      // If it can't be deleted now, the sweeper finds it.
      if (result === 'refused') await store.delete([segment.key]).catch(() => undefined);
    };
    metrics.activeAppends.inc();
    try {
      const algorithm = closing ? digestAlgorithm(closing) : upload.algorithm;
      const plan = { kind: 'whole', algorithm } as const;
      const source = sourceOf(bytes);
      const expectedBytes = bytes.length;
      await ingest.append({ source, plan, expectedBytes, commit, signal });
    } finally {
      metrics.activeAppends.dec();
    }
    if (result !== 'refused') metrics.uploadedBytes.inc(bytes.length);
    return result;
  }

  async #commit(
    upload: NewUpload,
    { key, sizeBytes, digest }: ClosedSegment,
    closing: Digest | undefined,
  ): Promise<Outcome> {
    const segment = { key, sizeBytes };
    if (closing && digest === closing) {
      return (await this.#blobCommits.put(upload, segment, closing)) ? 'finished' : 'refused';
    }
    const { uploads } = this.#parts.metadata;
    const isCreated = await uploads.createWith(upload, segment, digest, appendName(upload.id));
    return isCreated ? 'appended' : 'refused';
  }
}
