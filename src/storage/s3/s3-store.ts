import {
  DeleteObjectsCommand,
  GetObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3ServiceException,
} from '@aws-sdk/client-s3';
import {
  type BlobStore,
  type ObjectJoiner,
  type ObjectLinks,
  ObjectNotFound,
  type ObjectWriter,
  type StoredObject,
  StoreUnavailable,
  type UnfinishedObject,
} from '../blob-store.ts';
import { REGISTRY_ID_KEY, SEGMENTS_PREFIX } from '../keys.ts';
import type { ConnectionRate } from './connection-rate.ts';
import { openBucket, type S3Bucket } from './s3-bucket.ts';
import { call, type S3Timeouts } from './s3-call.ts';
import { checkBucket } from './s3-check.ts';
import { S3Joiner } from './s3-joiner.ts';
import { openLinks } from './s3-links.ts';
import type { S3Location } from './s3-location.ts';
import { readS3Range } from './s3-reader.ts';
import { abortUpload, unfinishedUploads } from './s3-unfinished.ts';
import { S3Writer } from './s3-writer.ts';

/** S3's limit for one DeleteObjects request. */
const MAX_DELETED_AT_ONCE = 1000;

/** Objects in a bucket, each under the prefix and its key. Any number of processes may use one bucket. */
export function openS3Store(
  location: S3Location,
  timeouts?: S3Timeouts,
  rate?: ConnectionRate,
): BlobStore {
  return new S3Store(openBucket(location, timeouts, rate));
}

class S3Store implements BlobStore {
  readonly links: ObjectLinks | undefined;
  readonly joiner: ObjectJoiner;
  /** S3 gives an object of several parts the time at which its upload began. */
  readonly tellsWhenWritten = false;
  readonly #bucket: S3Bucket;

  constructor(bucket: S3Bucket) {
    this.#bucket = bucket;
    this.links = openLinks(bucket.location);
    this.joiner = new S3Joiner(bucket);
  }

  create(key: string, onFailure: (error: Error) => void = () => {}): Promise<ObjectWriter> {
    return Promise.resolve(new S3Writer(this.#bucket, key, onFailure));
  }

  read(key: string, start: number, end: number): AsyncIterable<Uint8Array> {
    return readS3Range(this.#bucket, key, start, end);
  }

  async delete(keys: readonly string[]): Promise<void> {
    for (let from = 0; from < keys.length; from += MAX_DELETED_AT_ONCE) {
      await this.#deleteBatch([...new Set(keys.slice(from, from + MAX_DELETED_AT_ONCE))]);
    }
  }

  async *list(): AsyncIterable<StoredObject> {
    const { client } = this.#bucket;
    const { Bucket, Key: Prefix } = this.#bucket.object(SEGMENTS_PREFIX);
    let token: string | undefined;
    do {
      const next = token === undefined ? {} : { ContinuationToken: token };
      const command = new ListObjectsV2Command({ Bucket, Prefix, ...next });
      const page = await call('list objects', (abortSignal) =>
        client.send(command, { abortSignal }),
      );
      for (const { Key, LastModified } of page.Contents ?? []) {
        if (Key === undefined || !LastModified) continue;
        yield { key: this.#bucket.keyOf(Key), modifiedMs: LastModified.getTime() };
      }
      token = page.NextContinuationToken;
    } while (token !== undefined);
  }

  async registryId(): Promise<string> {
    const { client } = this.#bucket;
    const command = new GetObjectCommand(this.#bucket.object(REGISTRY_ID_KEY));
    try {
      return await call('read the registry id', async (abortSignal) => {
        const { Body } = await client.send(command, { abortSignal });
        return (await Body?.transformToString())?.trim() ?? '';
      });
    } catch (error) {
      if (error instanceof ObjectNotFound) return '';
      throw error;
    }
  }

  async claim(registryId: string): Promise<string> {
    if (await this.#isEmpty()) await this.#writeRegistryId(registryId);
    return this.registryId();
  }

  check(): Promise<void> {
    return checkBucket(this.#bucket);
  }

  unfinished(minAgeMs: number): AsyncIterable<UnfinishedObject> {
    return unfinishedUploads(this.#bucket, minAgeMs);
  }

  removeUnfinished(unfinished: UnfinishedObject): Promise<void> {
    return abortUpload(this.#bucket, unfinished);
  }

  async #isEmpty(): Promise<boolean> {
    for await (const object of this.list()) if (object.key !== '') return false;
    return true;
  }

  async #deleteBatch(keys: readonly string[]): Promise<void> {
    if (keys.length === 0) return;
    const { client } = this.#bucket;
    const Objects = keys.map((key) => ({ Key: this.#bucket.object(key).Key }));
    const { Bucket } = this.#bucket.object('');
    const command = new DeleteObjectsCommand({ Bucket, Delete: { Objects, Quiet: true } });
    const { Errors = [] } = await call('delete objects', (abortSignal) =>
      client.send(command, { abortSignal }),
    );
    const error = Errors.find(({ Code }) => Code !== 'NoSuchKey');
    if (error) {
      throw new StoreUnavailable(`S3 could not delete objects: ${error.Code} ${error.Message}`);
    }
  }

  /** Of several that try, one wins. */
  async #writeRegistryId(registryId: string): Promise<void> {
    const { client } = this.#bucket;
    const command = new PutObjectCommand({
      ...this.#bucket.object(REGISTRY_ID_KEY),
      Body: `${registryId}\n`,
      IfNoneMatch: '*',
    });
    try {
      await call('take the registry id', (abortSignal) => client.send(command, { abortSignal }));
    } catch (error) {
      const cause = error instanceof Error ? error.cause : undefined;
      if (!(cause instanceof S3ServiceException) || cause.name !== 'PreconditionFailed')
        throw error;
    }
  }
}
