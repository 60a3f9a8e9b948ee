import { randomUUID } from 'node:crypto';
import { link, mkdir, readdir, readFile, stat, unlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import {
  type BlobStore,
  ObjectNotFound,
  type ObjectWriter,
  type StoredObject,
  type UnfinishedObject,
} from '../blob-store.ts';
import { REGISTRY_ID_KEY, SEGMENTS_PREFIX, SHARDS } from '../keys.ts';
import { openFile } from './descriptor.ts';
import { makeDirectory, syncDirectory } from './directory.ts';
import { hasCode, translateFileError, unavailable } from './file-error.ts';
import { readFileRange } from './file-reader.ts';
import { FileWriter } from './file-writer.ts';

/** Objects as files below `directory`, each under its key. Several processes may use one directory. */
export function openFileStore(directory: string): BlobStore {
  return new FileStore(directory);
}

class FileStore implements BlobStore {
  readonly joiner = undefined;
  readonly links = undefined;
  readonly tellsWhenWritten = true;
  readonly #directory: string;

  constructor(directory: string) {
    this.#directory = directory;
  }

  async create(key: string): Promise<ObjectWriter> {
    const path = this.#path(key);
    try {
      return new FileWriter(path, await this.#createFile(path));
    } catch (error) {
      throw translateFileError(error, key);
    }
  }

  read(key: string, start: number, end: number): AsyncIterable<Uint8Array> {
    return readFileRange(this.#path(key), key, start, end);
  }

  async delete(keys: readonly string[]): Promise<void> {
    for (const key of keys) {
      try {
        await unlink(this.#path(key));
      } catch (error) {
        if (!hasCode(error, 'ENOENT')) throw translateFileError(error, key);
      }
    }
  }

  async *list(): AsyncIterable<StoredObject> {
    for (const shard of await this.#names(SEGMENTS_PREFIX)) {
      for (const name of await this.#names(join(SEGMENTS_PREFIX, shard))) {
        const key = `${SEGMENTS_PREFIX}${shard}/${name}`;
        const modifiedMs = await this.#modifiedMs(key);
        if (modifiedMs !== undefined) yield { key, modifiedMs };
      }
    }
  }

  async claim(registryId: string): Promise<string> {
    const isUsed = (await this.#names(SEGMENTS_PREFIX)).length > 0;
    if (!isUsed) await this.#writeRegistryId(registryId);
    const carried = await this.registryId();
    if (carried === registryId) await this.#makeShards();
    return carried;
  }

  async registryId(): Promise<string> {
    try {
      return (await readFile(this.#path(REGISTRY_ID_KEY), 'utf8')).trim();
    } catch (error) {
      if (hasCode(error, 'ENOENT')) return '';
      throw translateFileError(error, REGISTRY_ID_KEY);
    }
  }

  /** What it needs is tried by `claim`. */
  check(): Promise<void> {
    return Promise.resolve();
  }

  /** A file that isn't closed is listed like the others. */
  async *unfinished(): AsyncIterable<UnfinishedObject> {}

  removeUnfinished(): Promise<void> {
    return Promise.resolve();
  }

  /** All of them before the first object, so that no object's name waits for another process's fsync. */
  async #makeShards(): Promise<void> {
    try {
      const segments = this.#path(SEGMENTS_PREFIX);
      await makeDirectory(segments);
      await Promise.all(SHARDS.map((shard) => mkdir(join(segments, shard), { recursive: true })));
      await syncDirectory(segments);
    } catch (error) {
      throw unavailable(error);
    }
  }

  /** Linked from a complete file, so that of two processes one wins and nobody reads half an id. */
  async #writeRegistryId(registryId: string): Promise<void> {
    const path = this.#path(REGISTRY_ID_KEY);
    const draft = `${path}.${randomUUID()}`;
    try {
      await makeDirectory(this.#directory);
      await writeSmallFile(draft, `${registryId}\n`);
      await link(draft, path);
      await syncDirectory(this.#directory);
    } catch (error) {
      if (!hasCode(error, 'EEXIST')) throw unavailable(error);
    } finally {
      await unlink(draft).catch(() => undefined);
    }
  }

  #path(key: string): string {
    return join(this.#directory, key);
  }

  /** Makes the shard's directory if it isn't there, as `claim` makes them all. */
  async #createFile(path: string): Promise<number> {
    try {
      return await openFile(path, 'wx', 0o640);
    } catch (error) {
      if (!hasCode(error, 'ENOENT')) throw error;
      await makeDirectory(dirname(path));
      return await openFile(path, 'wx', 0o640);
    }
  }

  async #names(directory: string): Promise<string[]> {
    try {
      return await readdir(this.#path(directory));
    } catch (error) {
      if (hasCode(error, 'ENOENT') || hasCode(error, 'ENOTDIR')) return [];
      throw translateFileError(error, directory);
    }
  }

  /** Undefined when another process has just deleted it. */
  async #modifiedMs(key: string): Promise<number | undefined> {
    try {
      return (await stat(this.#path(key))).mtimeMs;
    } catch (error) {
      const translated = translateFileError(error, key);
      if (translated instanceof ObjectNotFound) return undefined;
      throw translated;
    }
  }
}

async function writeSmallFile(path: string, text: string): Promise<void> {
  const writer = new FileWriter(path, await openFile(path, 'wx', 0o640));
  try {
    await writer.write(Buffer.from(text));
    await writer.close();
  } finally {
    await writer.abort();
  }
}
