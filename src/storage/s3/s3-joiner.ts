import {
  AbortMultipartUploadCommand,
  type CompletedPart,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  HeadObjectCommand,
  S3ServiceException,
  UploadPartCommand,
  UploadPartCopyCommand,
} from '@aws-sdk/client-s3';
import { type ObjectJoiner, ObjectNotFound, StoreUnavailable } from '../blob-store.ts';
import { bodyInput } from './s3-body.ts';
import type { S3Bucket } from './s3-bucket.ts';
import { call } from './s3-call.ts';
import { type JoinPart, type JoinSource, planJoin, type SourceRange } from './s3-join-plan.ts';
import { readS3Range } from './s3-reader.ts';
import { objectSettings } from './s3-settings.ts';

/** Parts under way at the same time; as many are in memory at most. */
const MAX_PARTS_AHEAD = 2;
/** Size of the parts that are sent, where S3's limit of parts allows it. */
const SEND_BYTES = 8 * 1024 * 1024;
/** The sweeper removes what can't be aborted now. */
const ABORT_TIMEOUT_MS = 5_000;

/** Joins objects by a multipart upload, whose parts S3 copies itself where they are large enough. */
export class S3Joiner implements ObjectJoiner {
  readonly #bucket: S3Bucket;
  /** False since S3 said that it can't; some of its likes never can. */
  #canCopy = true;

  constructor(bucket: S3Bucket) {
    this.#bucket = bucket;
  }

  async join(key: string, sources: readonly JoinSource[], signal?: AbortSignal): Promise<void> {
    const couldCopy = this.#canCopy;
    try {
      await this.#tryJoin(key, sources, signal);
    } catch (error) {
      if (!couldCopy || !isNotImplemented(error)) throw error;
      this.#canCopy = false;
      await this.#tryJoin(key, sources, signal);
    }
  }

  async #tryJoin(key: string, sources: readonly JoinSource[], signal: AbortSignal | undefined) {
    const parts = planJoin(sources, SEND_BYTES, this.#canCopy);
    const upload = new JoinUpload(this.#bucket, key, parts);
    const onAbort = () => upload.stop(signal?.reason);
    signal?.addEventListener('abort', onAbort);
    try {
      signal?.throwIfAborted();
      await upload.run();
    } finally {
      signal?.removeEventListener('abort', onAbort);
    }
  }
}

/** One multipart upload: made whole, or aborted. */
class JoinUpload {
  readonly #bucket: S3Bucket;
  readonly #key: string;
  readonly #parts: readonly JoinPart[];
  readonly #controller = new AbortController();
  readonly #completed: CompletedPart[] = [];
  #next = 0;

  constructor(bucket: S3Bucket, key: string, parts: readonly JoinPart[]) {
    this.#bucket = bucket;
    this.#key = key;
    this.#parts = parts;
  }

  stop(reason: unknown): void {
    this.#controller.abort(reason);
  }

  async run(): Promise<void> {
    const UploadId = await this.#create();
    try {
      const lanes = Array.from({ length: MAX_PARTS_AHEAD }, () => this.#work(UploadId));
      // All have ended before it is aborted: a part that arrives later would stay.
      const failed = (await Promise.allSettled(lanes)).find(({ status }) => status === 'rejected');
      if (failed?.status === 'rejected') throw this.#controller.signal.reason;
      await this.#complete(UploadId);
    } catch (error) {
      await this.#abort(UploadId);
      throw error;
    }
  }

  /** Takes one part after the other. The first failure, of this lane or another, ends them all. */
  async #work(UploadId: string): Promise<void> {
    try {
      for (let part = this.#parts[this.#next]; part; part = this.#parts[this.#next]) {
        this.#next += 1;
        const number = this.#next;
        this.#controller.signal.throwIfAborted();
        const done =
          part.kind === 'copy'
            ? await this.#copy(UploadId, number, part.range)
            : await this.#send(UploadId, number, part);
        this.#completed.push({ PartNumber: number, ...done });
      }
    } catch (error) {
      this.stop(error);
      throw error;
    }
  }

  async #create(): Promise<string> {
    const { client, location } = this.#bucket;
    const command = new CreateMultipartUploadCommand({
      ...this.#bucket.object(this.#key),
      ...objectSettings(location),
      ...(location.checksum === 'crc32' ? { ChecksumAlgorithm: 'CRC32' } : {}),
    });
    // Not to be cut: who has no answer can't abort what S3 has begun.
    const { UploadId } = await call('begin a joined object', (abortSignal) =>
      client.send(command, { abortSignal }),
    );
    if (!UploadId) throw new StoreUnavailable('S3 began an upload without an id');
    return UploadId;
  }

  async #copy(UploadId: string, PartNumber: number, { key, start, end }: SourceRange) {
    const { client } = this.#bucket;
    const { Bucket, Key } = this.#bucket.object(key);
    const command = new UploadPartCopyCommand({
      ...this.#bucket.object(this.#key),
      UploadId,
      PartNumber,
      CopySource: `${Bucket}/${Key.split('/').map(encodeURIComponent).join('/')}`,
      CopySourceRange: `bytes=${start}-${end - 1}`,
    });
    const { CopyPartResult: part } = await call(
      'copy a part of an object',
      (abortSignal) => client.send(command, { abortSignal }),
      this.#controller,
    ).catch((error: unknown) => {
      throw isUploadGone(error) ? uploadGone(error) : named(key, error);
    });
    return { ETag: part?.ETag, ...checksumOf(part) };
  }

  async #send(UploadId: string, PartNumber: number, part: JoinPart & { kind: 'send' }) {
    const { client, location } = this.#bucket;
    const pieces: Uint8Array[] = [];
    for (const { key, start, end } of part.ranges) {
      for await (const chunk of readS3Range(this.#bucket, key, start, end)) {
        this.#controller.signal.throwIfAborted();
        pieces.push(Buffer.from(chunk));
      }
    }
    const object = this.#bucket.object(this.#key);
    const answer = await call(
      'take a part of a joined object',
      (abortSignal) => {
        const body = bodyInput({ pieces, sizeBytes: part.sizeBytes }, location);
        const command = new UploadPartCommand({ ...object, UploadId, PartNumber, ...body });
        return client.send(command, { abortSignal });
      },
      this.#controller,
    ).catch((error: unknown) => {
      throw isUploadGone(error) ? uploadGone(error) : error;
    });
    return { ETag: answer.ETag, ...checksumOf(answer) };
  }

  async #complete(UploadId: string): Promise<void> {
    const { client } = this.#bucket;
    const Parts = this.#completed.toSorted((a, b) => (a.PartNumber ?? 0) - (b.PartNumber ?? 0));
    const command = new CompleteMultipartUploadCommand({
      ...this.#bucket.object(this.#key),
      UploadId,
      MultipartUpload: { Parts },
    });
    await call(
      'complete a joined object',
      (abortSignal) => client.send(command, { abortSignal }),
      this.#controller,
    ).catch((error: unknown) => {
      // The upload is gone: perhaps an earlier try has completed it. The size tells.
      if (!isUploadGone(error)) throw error;
    });
    await this.#requireWhole();
  }

  async #requireWhole(): Promise<void> {
    const { client } = this.#bucket;
    const command = new HeadObjectCommand(this.#bucket.object(this.#key));
    const { ContentLength } = await call(
      'tell the size of a joined object',
      (abortSignal) => client.send(command, { abortSignal }),
      this.#controller,
    ).catch((error: unknown) => {
      throw error instanceof ObjectNotFound ? uploadGone(error) : error;
    });
    const sizeBytes = this.#parts.reduce((sum, part) => sum + sizeOf(part), 0);
    if (ContentLength === sizeBytes) return;
    throw new StoreUnavailable(`S3 joined ${sizeBytes} bytes to ${ContentLength} bytes`);
  }

  /** What was completed meanwhile stays as an object that no row names. */
  async #abort(UploadId: string): Promise<void> {
    const { client } = this.#bucket;
    const command = new AbortMultipartUploadCommand({
      ...this.#bucket.object(this.#key),
      UploadId,
    });
    await call('abort a joined object', (abortSignal) => client.send(command, { abortSignal }), {
      timeouts: { callMs: ABORT_TIMEOUT_MS, tryMs: ABORT_TIMEOUT_MS },
    }).catch(() => undefined);
  }
}

function sizeOf(part: JoinPart): number {
  return part.kind === 'send' ? part.sizeBytes : part.range.end - part.range.start;
}

function checksumOf(part: { readonly ChecksumCRC32?: string | undefined } | undefined) {
  return part?.ChecksumCRC32 === undefined ? {} : { ChecksumCRC32: part.ChecksumCRC32 };
}

/** The source is what is missing. */
function named(key: string, error: unknown): unknown {
  return error instanceof ObjectNotFound ? new ObjectNotFound(key, { cause: error.cause }) : error;
}

function uploadGone(error: unknown): StoreUnavailable {
  return new StoreUnavailable('the upload of a joined object is gone', { cause: error });
}

function isUploadGone(error: unknown): boolean {
  return causeName(error) === 'NoSuchUpload';
}

function isNotImplemented(error: unknown): boolean {
  return causeName(error) === 'NotImplemented';
}

function causeName(error: unknown): string {
  const cause = error instanceof Error ? error.cause : undefined;
  return cause instanceof S3ServiceException ? cause.name : '';
}
