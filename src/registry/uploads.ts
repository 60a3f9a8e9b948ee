import type { Log } from '../log.ts';
import type { MetadataStore } from '../meta/metadata-store.ts';
import type { UploadSession } from '../meta/records/upload-records.ts';
import type { Metrics } from '../metrics.ts';
import type { ByteRange } from '../oci/byte-range.ts';
import type { ByteSource, RequestSource } from '../oci/byte-source.ts';
import { type Digest, type DigestAlgorithm, digestAlgorithm, digestBytes } from '../oci/digest.ts';
import { OciError } from '../oci/error.ts';
import type { RepositoryName } from '../oci/repository-name.ts';
import { type BlobStore, StoreUnavailable } from '../storage/blob-store.ts';
import type { ClosedSegment, Ingest } from '../workers/ingest.ts';
import { AppendLocks } from './append-locks.ts';
import {
  changedMeanwhile,
  checkRange,
  checkUnchanged,
  clientGone,
  planDigest,
  wrongLength,
} from './append-rules.ts';
import { type FirstAppend, FirstAppends } from './first-append.ts';
import { UploadCommits } from './upload-commits.ts';
import { ENDED_KEPT_MS, isUploadId, UploadIds } from './upload-ids.ts';
import type { UploadRequest } from './upload-request.ts';

export interface UploadParts {
  readonly metadata: MetadataStore;
  readonly store: BlobStore;
  readonly ingest: Ingest;
  readonly metrics: Metrics;
  readonly log: Log;
  readonly registryId: string;
  readonly expirationMs: number;
}

/** What a request appends. */
interface UploadBody {
  readonly source: ByteSource | undefined;
  /** Content-Range: it must begin at the upload's offset and have that length. */
  readonly range: ByteRange | undefined;
}

/** An upload as its client sees it. */
export interface UploadStatus {
  readonly id: string;
  /** Bytes that are stored for good. */
  readonly offset: number;
}

/**
 * Uploads of blobs: open → appends → finished, or discarded. An upload is found by its id under its repository; one that has
 * no row yet is what its id tells. All methods throw OciError, and the drivers' errors where a dependency fails.
 */
export class Uploads {
  readonly #parts: UploadParts;
  readonly #ids: UploadIds;
  readonly #locks: AppendLocks;
  readonly #firstAppends: FirstAppends;
  readonly #blobCommits: UploadCommits;

  constructor(parts: UploadParts) {
    this.#parts = parts;
    this.#ids = new UploadIds(parts.registryId, parts.expirationMs);
    this.#locks = new AppendLocks(parts.metadata.locks);
    this.#blobCommits = new UploadCommits(parts.metadata.uploads, parts.log);
    this.#firstAppends = new FirstAppends(parts, this.#ids, this.#locks, this.#blobCommits);
  }

  async start(repository: RepositoryName, algorithm: DigestAlgorithm): Promise<UploadStatus> {
    await this.#parts.metadata.untilReachable();
    const id = this.#ids.give(repository, algorithm);
    this.#firstAppends.began(id);
    return { id, offset: 0 };
  }

  async status(repository: RepositoryName, id: string): Promise<UploadStatus> {
    requireUploadId(id);
    await this.#locks.waitWhileClientGone(id);
    const session = await this.#parts.metadata.uploads.find(repository, id);
    if (!session && this.#ids.read(repository, id)) return { id, offset: 0 };
    return { id, offset: requireOpen(session).offset };
  }

  /** Appends a body. One that is cut by its sender is kept as far as it came. */
  async append(
    request: UploadRequest,
    source: RequestSource | undefined,
    range: ByteRange | undefined,
  ): Promise<UploadStatus> {
    const { id } = request;
    requireUploadId(id);
    const first = await this.#firstAppends.append(request, source, range);
    if (first.appendedBytes > 0) return { id, offset: first.appendedBytes };
    return this.#withLock(request, async () => {
      const session = requireOpen(await this.#find(request, first));
      const body = { source: first.rest, range };
      const after = await this.#store(session, body, session.algorithm, request.signal);
      if (!after) throw clientGone();
      return { id, offset: after.offset };
    });
  }

  /**
   * The closing PUT: appends its body, if it has one, compares the digest, and makes the upload a blob of the
   * repository. Repeated after it was answered, it is answered again.
   */
  async finish(
    request: UploadRequest,
    digest: Digest,
    source: RequestSource | undefined,
    range: ByteRange | undefined,
  ): Promise<void> {
    const { repository, id, signal } = request;
    requireUploadId(id);
    const first = await this.#firstAppends.append(request, source, range, digest);
    if (first.isFinished) return;
    if (!source && !range && (await this.#blobCommits.close(repository, id, digest))) return;
    await this.#withLock(request, async () => {
      const found = await this.#find(request, first);
      if (found?.finished === digest && !found.isOver) return;
      const body = { source: first.rest, range };
      const algorithm = digestAlgorithm(digest);
      const session = await this.#store(requireOpen(found), body, algorithm, signal);
      if (!session) throw clientGone();
      await this.#verify(session, digest);
      await this.#blobCommits.finish(session, digest);
    });
  }

  async cancel(request: UploadRequest): Promise<void> {
    requireUploadId(request.id);
    await this.#withLock(request, async () => {
      requireOpen(await this.#find(request));
      if (!(await this.#discard(request))) throw new OciError('BLOB_UPLOAD_UNKNOWN');
    });
  }

  /** When the client has gone, what it began is done to its end, and others wait for it. */
  async #withLock<T>({ id, signal }: UploadRequest, work: () => Promise<T>): Promise<T> {
    this.#firstAppends.forget(id);
    const lock = await this.#locks.acquire(id, signal);
    const onGone = () => lock.clientGone();
    if (signal.aborted) onGone();
    signal.addEventListener('abort', onGone);
    try {
      return await work();
    } finally {
      signal.removeEventListener('abort', onGone);
      await lock.release();
    }
  }

  /**
   * Makes the row of an upload that has none yet. Its lock must be held.
   * @param first what became of the request's body until now
   * @throws OciError 409 when another instance appended meanwhile
   */
  async #find(
    { repository, id, principal }: UploadRequest,
    first?: FirstAppend,
  ): Promise<UploadSession | undefined> {
    const { metadata, expirationMs: expiresAfterMs } = this.#parts;
    const askedMs = performance.now();
    const session = await metadata.uploads.find(repository, id);
    if (session) {
      if (first?.refusedMs !== undefined) {
        checkUnchanged(session, askedMs - first.refusedMs, expiresAfterMs);
      }
      return session;
    }
    const algorithm = this.#ids.read(repository, id);
    if (!algorithm) return undefined;
    const upload = { id, repository, algorithm, principal, expiresAfterMs };
    const created = await metadata.uploads.create(upload);
    // The lock was lost, and another instance has it.
    if (!created) throw changedMeanwhile();
    return created;
  }

  #discard({ repository, id }: Pick<UploadRequest, 'repository' | 'id'>): Promise<boolean> {
    return this.#parts.metadata.uploads.discard(repository, id, ENDED_KEPT_MS);
  }

  /**
   * Streams a body into the store. @returns the session as it stands after it; undefined when the sender went
   * away in the middle, and what came of the body is kept.
   */
  async #store(
    session: UploadSession,
    { source, range }: UploadBody,
    algorithm: DigestAlgorithm,
    signal: AbortSignal,
  ): Promise<UploadSession | undefined> {
    checkRange(session, range);
    if (!source && range) throw wrongLength(0);
    if (!source) return session;
    const expectedBytes = range ? range.last - range.first + 1 : source.announcedBytes;
    if (source.announcedBytes !== undefined && expectedBytes !== source.announcedBytes) {
      throw wrongLength(source.announcedBytes);
    }
    const { ingest, metrics } = this.#parts;
    const commits = this.#commits(
      session,
      range !== undefined && source.announcedBytes === undefined,
    );
    metrics.activeAppends.inc();
    try {
      const end = await ingest.append({
        source,
        plan: planDigest(session, algorithm, range !== undefined),
        expectedBytes,
        commit: commits.add,
        signal,
      });
      const after = await commits.end();
      return end === 'complete' ? after : undefined;
    } catch (error) {
      // A store that is away would keep the client waiting as long again; the sweeper finds them.
      if (!(error instanceof StoreUnavailable)) await commits.drop();
      throw error;
    } finally {
      metrics.activeAppends.dec();
    }
  }

  /**
   * Commits an append's segments as they are closed. Where the body may still turn out to have the wrong length,
   * they wait for its end, since then nothing of it counts.
   */
  #commits(session: UploadSession, isLengthOpen: boolean) {
    const waiting: ClosedSegment[] = [];
    let current = session;
    const commit = async (segment: ClosedSegment) => {
      current = await this.#commitSegment(current, segment);
    };
    return {
      add: async (segment: ClosedSegment) => {
        if (isLengthOpen) waiting.push(segment);
        else await commit(segment);
      },
      end: async () => {
        for (let next = waiting.shift(); next; next = waiting.shift()) await commit(next);
        return current;
      },
      drop: () => this.#parts.store.delete(waiting.map(({ key }) => key)),
    };
  }

  async #commitSegment(session: UploadSession, closed: ClosedSegment): Promise<UploadSession> {
    const { metadata, store, metrics, expirationMs } = this.#parts;
    const { key, sizeBytes, digest, state } = closed;
    const segment = { key, sizeBytes };
    const checkpoint = { digest, engine: state?.engine, state: state?.state };
    const { id, offset } = session;
    if (!(await metadata.uploads.append(id, offset, segment, checkpoint, expirationMs))) {
      await store.delete([key]);
      throw changedMeanwhile();
    }
    metrics.uploadedBytes.inc(sizeBytes);
    const segments = [...session.segments, segment];
    return { ...session, offset: offset + sizeBytes, checkpoint, segments };
  }

  /** Compares the digest; an upload that isn't what it was announced to be goes, with its bytes. */
  async #verify(session: UploadSession, digest: Digest): Promise<void> {
    const actual = await this.#digestOf(session, digestAlgorithm(digest));
    if (actual === digest) return;
    await this.#discard(session);
    throw new OciError('DIGEST_INVALID', {
      message: `provided digest did not match uploaded content: ${session.offset} bytes came, and their digest is ${actual}; start a new upload`,
      detail: { provided: digest, actual },
    });
  }

  async #digestOf(session: UploadSession, algorithm: DigestAlgorithm): Promise<Digest> {
    const { offset, checkpoint, segments } = session;
    if (offset === 0) return digestBytes(algorithm, new Uint8Array(0));
    if (checkpoint.digest && digestAlgorithm(checkpoint.digest) === algorithm)
      return checkpoint.digest;
    const { ingest, metrics, log } = this.#parts;
    log.debug(
      { upload: session.id, bytes: offset },
      'reading the stored bytes again to digest them',
    );
    const digest = await ingest.digestStored(segments, algorithm);
    metrics.rereadBytes.inc(offset);
    return digest;
  }
}

function requireUploadId(text: string): void {
  if (!isUploadId(text)) throw new OciError('BLOB_UPLOAD_UNKNOWN');
}

function requireOpen(session: UploadSession | undefined): UploadSession {
  if (session && !session.finished && !session.isOver) return session;
  throw new OciError('BLOB_UPLOAD_UNKNOWN');
}
