import { randomBytes } from 'node:crypto';
import {
  AbortMultipartUploadCommand,
  type CompletedPart,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  DeleteObjectsCommand,
  GetObjectCommand,
  ListMultipartUploadsCommand,
  ListObjectsV2Command,
  ListPartsCommand,
  PutObjectCommand,
  UploadPartCommand,
  UploadPartCopyCommand,
} from '@aws-sdk/client-s3';
import { StoreUnavailable } from '../blob-store.ts';
import { CHECK_PREFIX, newCheckKey, UNDELETABLE_CHECK_KEY } from '../keys.ts';
import { bodyInput } from './s3-body.ts';
import type { S3Bucket } from './s3-bucket.ts';
import { call, isMissing, isTransient } from './s3-call.ts';
import { deniedAction, diagnose, isDenial, isMistake, NOT_S3, refusalOf } from './s3-diagnosis.ts';
import { objectSettings } from './s3-settings.ts';

/** For one request, with its repetitions: who waits for the start wants to know. */
const REQUEST_TIMEOUT_MS = 12_000;
/** What a check that died left behind is removed by another one then. */
const LEFTOVER_AGE_MS = 3_600_000;

/** What is tried, as an operator's policy names it. */
interface Request {
  readonly action: string;
  /** Completes the sentence "S3 could not …". */
  readonly what: string;
}

/** Tries in a bucket what the registry does there. @throws StoreUnavailable that names all that is missing */
export function checkBucket(bucket: S3Bucket): Promise<void> {
  return new BucketCheck(bucket).run();
}

class BucketCheck {
  readonly #bucket: S3Bucket;
  readonly #bytes = randomBytes(64);
  /** What for, by action. */
  readonly #denied = new Map<string, Set<string>>();
  readonly #problems: string[] = [];
  readonly #made: string[] = [];
  readonly #begun = new Map<string, string>();

  constructor(bucket: S3Bucket) {
    this.#bucket = bucket;
  }

  async run(): Promise<void> {
    try {
      const canList = await this.#list();
      await this.#listUploads();
      const canDelete = await this.#delete([newCheckKey()]);
      // What can't be removed is at least no more than one object, however many starts there are.
      const key = canDelete ? newCheckKey() : UNDELETABLE_CHECK_KEY;
      if (await this.#put(key)) {
        await this.#get(key);
        await this.#copy(key, canDelete ? newCheckKey() : key);
      } else if (canList) await this.#getMissing();
      await this.#beginAndAbort(canDelete ? newCheckKey() : key);
    } finally {
      await this.#cleanUp();
    }
    this.#report();
  }

  async #list(): Promise<boolean> {
    const { Bucket, Key: Prefix } = this.#bucket.object(CHECK_PREFIX);
    const command = new ListObjectsV2Command({ Bucket, Prefix });
    const page = await this.#try({ action: 's3:ListBucket', what: 'list objects' }, (abortSignal) =>
      this.#bucket.client.send(command, { abortSignal }),
    );
    for (const { Key = '', LastModified } of page?.Contents ?? []) {
      const key = this.#bucket.keyOf(Key);
      const isOld = LastModified && LastModified.getTime() < Date.now() - LEFTOVER_AGE_MS;
      if (isOld || key === UNDELETABLE_CHECK_KEY) this.#made.push(key);
    }
    if (page && page.Name === undefined) throw new StoreUnavailable(`${this.#name()}: ${NOT_S3}`);
    return page !== undefined;
  }

  async #listUploads(): Promise<void> {
    const { Bucket, Key: Prefix } = this.#bucket.object(CHECK_PREFIX);
    const command = new ListMultipartUploadsCommand({ Bucket, Prefix, MaxUploads: 1 });
    await this.#try(
      { action: 's3:ListBucketMultipartUploads', what: 'list unfinished uploads' },
      (abortSignal) => this.#bucket.client.send(command, { abortSignal }),
    );
  }

  async #put(key: string): Promise<boolean> {
    this.#made.push(key);
    const { client, location } = this.#bucket;
    const input = { ...this.#bucket.object(key), ...objectSettings(location) };
    const answer = await this.#try(
      { action: 's3:PutObject', what: 'take an object' },
      (abortSignal) => {
        const command = new PutObjectCommand({ ...input, ...this.#body() });
        return client.send(command, { abortSignal });
      },
    );
    return answer !== undefined;
  }

  async #get(key: string): Promise<void> {
    const command = new GetObjectCommand({ ...this.#bucket.object(key), Range: 'bytes=0-63' });
    const bytes = await this.#try(
      { action: 's3:GetObject', what: 'send an object' },
      async (abortSignal) => {
        const { Body: body } = await this.#bucket.client.send(command, { abortSignal });
        return body?.transformToByteArray();
      },
    );
    // Others that start at the same time overwrite the one that nobody can delete.
    if (bytes && key !== UNDELETABLE_CHECK_KEY && !this.#bytes.equals(bytes)) {
      this.#problems.push('S3 sent other bytes than it had taken');
    }
  }

  /** Who may read is told that it isn't there. */
  async #getMissing(): Promise<void> {
    const command = new GetObjectCommand(this.#bucket.object(newCheckKey()));
    const request = { action: 's3:GetObject', what: 'send an object' };
    await this.#try(request, (abortSignal) =>
      this.#bucket.client.send(command, { abortSignal }).catch((error: unknown) => {
        if (!isMissing(error)) throw error;
      }),
    );
  }

  /** As two objects become one. */
  async #copy(source: string, key: string): Promise<void> {
    const UploadId = await this.#begin(key);
    if (UploadId === undefined) return;
    const { Bucket, Key } = this.#bucket.object(source);
    const input = { ...this.#bucket.object(key), UploadId, PartNumber: 1 };
    const command = new UploadPartCopyCommand({ ...input, CopySource: `${Bucket}/${Key}` });
    const answer = await this.#try(
      { action: 's3:GetObject', what: 'copy an object' },
      (abortSignal) => this.#bucket.client.send(command, { abortSignal }),
    );
    if (answer) await this.#complete(key, UploadId, answer.CopyPartResult ?? {});
  }

  async #beginAndAbort(key: string): Promise<void> {
    const UploadId = await this.#begin(key);
    if (UploadId === undefined) return;
    const part = await this.#try(
      { action: 's3:PutObject', what: 'take a part of an object' },
      (abortSignal) => {
        const input = { ...this.#bucket.object(key), UploadId, PartNumber: 1 };
        const command = new UploadPartCommand({ ...input, ...this.#body() });
        return this.#bucket.client.send(command, { abortSignal });
      },
    );
    await this.#listParts(key, UploadId);
    const isAborted = await this.#abort(key, UploadId);
    // What can't be aborted ends as an object, which may be deletable.
    if (!isAborted && part) await this.#complete(key, UploadId, part);
  }

  /** The sweeper asks how old the newest part of an unfinished upload is. */
  async #listParts(key: string, UploadId: string): Promise<void> {
    const command = new ListPartsCommand({ ...this.#bucket.object(key), UploadId });
    await this.#try(
      { action: 's3:ListMultipartUploadParts', what: 'list the parts of an upload' },
      (abortSignal) => this.#bucket.client.send(command, { abortSignal }),
    );
  }

  async #begin(key: string): Promise<string | undefined> {
    const { client, location } = this.#bucket;
    const command = new CreateMultipartUploadCommand({
      ...this.#bucket.object(key),
      ...objectSettings(location),
      ...(location.checksum === 'crc32' ? { ChecksumAlgorithm: 'CRC32' } : {}),
    });
    const answer = await this.#try(
      { action: 's3:PutObject', what: 'begin an upload' },
      (abortSignal) => client.send(command, { abortSignal }),
    );
    const uploadId = answer?.UploadId;
    if (uploadId !== undefined) this.#begun.set(uploadId, key);
    return uploadId;
  }

  async #complete(key: string, UploadId: string, { ETag, ChecksumCRC32 }: CompletedPart) {
    this.#made.push(key);
    const checksum = ChecksumCRC32 === undefined ? {} : { ChecksumCRC32 };
    const command = new CompleteMultipartUploadCommand({
      ...this.#bucket.object(key),
      UploadId,
      MultipartUpload: { Parts: [{ PartNumber: 1, ETag, ...checksum }] },
    });
    const answer = await this.#try(
      { action: 's3:PutObject', what: 'complete an upload' },
      (abortSignal) => this.#bucket.client.send(command, { abortSignal }),
    );
    if (answer) this.#begun.delete(UploadId);
  }

  async #abort(key: string, UploadId: string): Promise<boolean> {
    const command = new AbortMultipartUploadCommand({ ...this.#bucket.object(key), UploadId });
    const answer = await this.#try(
      { action: 's3:AbortMultipartUpload', what: 'abort an upload' },
      (abortSignal) => this.#bucket.client.send(command, { abortSignal }),
    );
    if (answer) this.#begun.delete(UploadId);
    return answer !== undefined;
  }

  async #delete(keys: readonly string[]): Promise<boolean> {
    const { Bucket } = this.#bucket.object('');
    const Objects = keys.map((key) => ({ Key: this.#bucket.object(key).Key }));
    const command = new DeleteObjectsCommand({ Bucket, Delete: { Objects, Quiet: true } });
    const request = { action: 's3:DeleteObject', what: 'delete objects' };
    const answer = await this.#try(request, (abortSignal) =>
      this.#bucket.client.send(command, { abortSignal }),
    );
    const error = answer?.Errors?.find(({ Code }) => Code !== 'NoSuchKey');
    if (error?.Code === 'AccessDenied') this.#deny(request.action, request.what);
    else if (error) this.#problems.push(`S3 could not delete objects: ${error.Code}`);
    return answer !== undefined && !error;
  }

  /** Leaves nothing behind, whatever failed. */
  async #cleanUp(): Promise<void> {
    const giveUp = () => undefined;
    for (const [uploadId, key] of this.#begun) await this.#abort(key, uploadId).catch(giveUp);
    if (this.#made.length > 0) await this.#delete(this.#made).catch(giveUp);
  }

  #body() {
    const pieces = { pieces: [this.#bytes], sizeBytes: this.#bytes.length };
    return bodyInput(pieces, this.#bucket.location);
  }

  /** @returns undefined when it was refused, which is noted. @throws StoreUnavailable when nothing else can succeed */
  async #try<T>(
    request: Request,
    send: (signal: AbortSignal) => Promise<T>,
  ): Promise<T | undefined> {
    try {
      return await call(request.what, send, {
        timeouts: { callMs: REQUEST_TIMEOUT_MS, tryMs: REQUEST_TIMEOUT_MS },
        isWorthAnotherTry: (error) => isTransient(error) && !isMistake(error),
      });
    } catch (error) {
      this.#note(request, error);
      return undefined;
    }
  }

  #note({ action, what }: Request, error: unknown): void {
    const { location } = this.#bucket;
    const cause = error instanceof Error ? error.cause : undefined;
    if (isDenial(cause)) {
      this.#deny(deniedAction(cause) ?? action, what);
      return;
    }
    const sentence = diagnose(cause, location);
    const refusal = `S3 could not ${what}: ${refusalOf(cause, location)}`;
    if (isPassing(cause)) {
      const message = `${this.#name()}: ${sentence ?? refusal}`;
      throw new StoreUnavailable(message, { cause, mayPass: true });
    }
    if (sentence) throw new StoreUnavailable(`${this.#name()}: ${sentence}`, { cause });
    this.#problems.push(refusal);
  }

  #deny(action: string, what: string): void {
    this.#denied.set(action, (this.#denied.get(action) ?? new Set()).add(what));
  }

  #report(): void {
    const actions = [...this.#denied].map(
      ([action, what]) => `${action} (to ${[...what].join(', ')})`,
    );
    const sentences = [...new Set(this.#problems)];
    if (actions.length > 0) {
      sentences.unshift(
        `the credentials lack ${actions.join(' and ')}: add that to their policy, see docs/s3.md`,
      );
    }
    if (sentences.length > 0) {
      throw new StoreUnavailable(`${this.#name()}: ${sentences.join('; ')}`);
    }
  }

  #name(): string {
    const { bucket, prefix, endpoint = 'AWS' } = this.#bucket.location;
    return `S3 at ${endpoint}, bucket ${bucket}${prefix ? ` below ${prefix}` : ''}`;
  }
}

/** What waiting may mend: S3 isn't there or fails, or whoever makes the bucket hasn't made it yet. */
function isPassing(error: unknown): boolean {
  if (error instanceof Error && error.name === 'NoSuchBucket') return true;
  return isTransient(error) && !isMistake(error);
}
