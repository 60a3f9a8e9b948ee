import { setMaxListeners } from 'node:events';
import {
  AbortMultipartUploadCommand,
  type CompletedPart,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  HeadObjectCommand,
  PutObjectCommand,
  UploadPartCommand,
} from '@aws-sdk/client-s3';
import { ObjectNotFound, type ObjectWriter, StoreUnavailable } from '../blob-store.ts';
import { bodyInput, type Pieces } from './s3-body.ts';
import type { S3Bucket } from './s3-bucket.ts';
import { type CallOptions, call } from './s3-call.ts';
import { objectSettings } from './s3-settings.ts';

/** The sweeper removes what can't be aborted now. */
const ABORT_TIMEOUTS = { callMs: 5_000, tryMs: 5_000 };

/** Bytes that are gathered for a request, and whom to tell when S3 has them. */
interface Part extends Pieces {
  readonly pieces: Uint8Array[];
  sizeBytes: number;
  readonly spent: (() => void)[];
}

/**
 * Writes one object: in a single PutObject if it is smaller than a part, else by a multipart upload whose parts go
 * out at the same time. Pieces are sent as they came, without a copy; who calls `write` bounds the memory.
 */
export class S3Writer implements ObjectWriter {
  readonly #bucket: S3Bucket;
  readonly #key: string;
  readonly #onFailure: (error: Error) => void;
  readonly #controller = new AbortController();
  readonly #sending = new Set<Promise<void>>();
  readonly #completed: CompletedPart[] = [];
  #part: Part = emptyPart();
  #partCount = 0;
  #sizeBytes = 0;
  #uploadId: Promise<string> | undefined;
  #error: Error | undefined;
  #state: 'open' | 'closed' | 'aborted' = 'open';

  constructor(bucket: S3Bucket, key: string, onFailure: (error: Error) => void) {
    this.#bucket = bucket;
    this.#key = key;
    this.#onFailure = onFailure;
    // As many as there are parts under way.
    setMaxListeners(0, this.#controller.signal);
  }

  write(bytes: Uint8Array, onSpent: () => void = () => {}): Promise<void> {
    if (this.#error) return Promise.reject(this.#error);
    const { partBytes } = this.#bucket.location;
    this.#sizeBytes += bytes.length;
    if (bytes.length === 0) onSpent();
    const partsOf = Math.ceil((this.#part.sizeBytes + bytes.length) / partBytes);
    const onPartSpent = afterAll(partsOf, onSpent);
    for (let from = 0; from < bytes.length; ) {
      const piece = bytes.subarray(from, from + partBytes - this.#part.sizeBytes);
      this.#part.pieces.push(piece);
      this.#part.sizeBytes += piece.length;
      from += piece.length;
      this.#part.spent.push(onPartSpent);
      if (this.#part.sizeBytes === partBytes) this.#sendPart();
    }
    return Promise.resolve();
  }

  async close(): Promise<void> {
    const timer = setTimeout(() => {
      this.#fail(new StoreUnavailable('S3 did not take the last bytes of an object in time'));
    }, this.#bucket.timeouts.closeMs);
    try {
      if (this.#partCount === 0) await this.#put();
      else await this.#complete();
      if (this.#error) throw this.#error;
      this.#state = 'closed';
    } catch (error) {
      throw this.#error ?? failureOf(error);
    } finally {
      clearTimeout(timer);
    }
  }

  async abort(): Promise<void> {
    if (this.#state !== 'open') return;
    this.#state = 'aborted';
    this.#controller.abort();
    await Promise.allSettled(this.#sending);
    const uploadId = await this.#uploadId?.catch(() => undefined);
    if (uploadId === undefined) return;
    const { client } = this.#bucket;
    const command = new AbortMultipartUploadCommand({ ...this.#object, UploadId: uploadId });
    await call('abort an upload', (abortSignal) => client.send(command, { abortSignal }), {
      timeouts: ABORT_TIMEOUTS,
    }).catch(() => undefined);
  }

  get #object() {
    return this.#bucket.object(this.#key);
  }

  get #options(): CallOptions {
    return { signal: this.#controller.signal, timeouts: this.#bucket.timeouts };
  }

  /** Ends everything under way; the first error is the one that is told. */
  #fail(error: unknown): void {
    if (this.#error || this.#state !== 'open') return;
    this.#error = failureOf(error);
    this.#controller.abort();
    this.#onFailure(this.#error);
  }

  #sendPart(): void {
    const part = this.#part;
    this.#part = emptyPart();
    this.#partCount += 1;
    const sending = this.#uploadPart(part, this.#partCount).catch((error: unknown) =>
      this.#fail(error),
    );
    this.#sending.add(sending);
    void sending.finally(() => this.#sending.delete(sending));
  }

  async #uploadPart(part: Part, number: number): Promise<void> {
    const beginMs = Date.now();
    this.#uploadId ??= this.#createUpload();
    const UploadId = await this.#uploadId;
    const { client, location, timeouts } = this.#bucket;
    // The client waits from the beginning on.
    const leftMs = timeouts.closeMs - (Date.now() - beginMs);
    const callMs = Math.min(timeouts.callMs, leftMs);
    const { ETag, ChecksumCRC32 } = await call(
      'take a part of an object',
      (abortSignal) => {
        const input = { ...this.#object, UploadId, PartNumber: number };
        const command = new UploadPartCommand({ ...input, ...bodyInput(part, location) });
        return client.send(command, { abortSignal });
      },
      { signal: this.#controller.signal, timeouts: { ...timeouts, callMs } },
    );
    this.#completed.push({
      PartNumber: number,
      ETag,
      ...(ChecksumCRC32 === undefined ? {} : { ChecksumCRC32 }),
    });
    for (const onSpent of part.spent) onSpent();
  }

  async #createUpload(): Promise<string> {
    const { client, location, timeouts } = this.#bucket;
    const command = new CreateMultipartUploadCommand({
      ...this.#object,
      ...objectSettings(location),
      ...(location.checksum === 'crc32' ? { ChecksumAlgorithm: 'CRC32' } : {}),
    });
    // Not to be cut: who has no answer can't abort what S3 has begun.
    const { UploadId } = await call(
      'begin an upload',
      (abortSignal) => client.send(command, { abortSignal }),
      { timeouts },
    );
    if (!UploadId) throw new StoreUnavailable('S3 began an upload without an id');
    return UploadId;
  }

  async #put(): Promise<void> {
    const { client, location } = this.#bucket;
    await call(
      'take an object',
      (abortSignal) => {
        const input = { ...this.#object, ...objectSettings(location) };
        const command = new PutObjectCommand({ ...input, ...bodyInput(this.#part, location) });
        return client.send(command, { abortSignal });
      },
      this.#options,
    );
    for (const onSpent of this.#part.spent) onSpent();
  }

  async #complete(): Promise<void> {
    if (this.#part.sizeBytes > 0) this.#sendPart();
    await Promise.all(this.#sending);
    if (this.#error) throw this.#error;
    const { client } = this.#bucket;
    const Parts = this.#completed.toSorted((a, b) => (a.PartNumber ?? 0) - (b.PartNumber ?? 0));
    const command = new CompleteMultipartUploadCommand({
      ...this.#object,
      UploadId: await this.#uploadId,
      MultipartUpload: { Parts },
    });
    try {
      await call(
        'complete an object',
        (abortSignal) => client.send(command, { abortSignal }),
        this.#options,
      );
    } catch (error) {
      // The upload is gone: an earlier try may have completed it, and its answer was lost.
      if (!(error instanceof ObjectNotFound) || !(await this.#isWhole())) throw error;
    }
  }

  async #isWhole(): Promise<boolean> {
    const { client } = this.#bucket;
    const command = new HeadObjectCommand(this.#object);
    const head = await call(
      'tell the size of an object',
      (abortSignal) => client.send(command, { abortSignal }),
      this.#options,
    );
    return head.ContentLength === this.#sizeBytes;
  }
}

/** An upload that S3 no longer knows is no missing object. */
function failureOf(error: unknown): Error {
  if (error instanceof ObjectNotFound) {
    return new StoreUnavailable('S3 no longer knows an upload', { cause: error });
  }
  return error instanceof Error ? error : new StoreUnavailable(String(error));
}

/** A piece may go out in several parts, which arrive in any order. */
function afterAll(count: number, action: () => void): () => void {
  let left = count;
  return () => {
    left -= 1;
    if (left === 0) action();
  };
}

function emptyPart(): Part {
  return { pieces: [], sizeBytes: 0, spent: [] };
}
