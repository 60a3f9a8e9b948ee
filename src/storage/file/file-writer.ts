import { unlink } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import type { ObjectWriter } from '../blob-store.ts';
import { closeFile, isNamed, syncFileData, writeAt } from './descriptor.ts';
import { syncDirectory } from './directory.ts';
import { translateFileError } from './file-error.ts';

/**
 * Bytes after which the disk is told to start writing. Handing data over while it streams keeps the last
 * fdatasync short: about twice the speed of one fdatasync at the end.
 */
const SYNC_EVERY_BYTES = 32 * 1024 * 1024;

/** Writes one file, durable when `close` resolves. */
export class FileWriter implements ObjectWriter {
  readonly #path: string;
  readonly #file: number;
  readonly #writes = new Set<Promise<void>>();
  #position = 0;
  #unsyncedBytes = 0;
  #sync: Promise<void> | undefined;
  #syncError: unknown;
  #state: 'open' | 'closed' | 'aborted' = 'open';
  #hasDescriptor = true;

  constructor(path: string, file: number) {
    this.#path = path;
    this.#file = file;
  }

  async write(bytes: Uint8Array, onSpent: () => void = () => {}): Promise<void> {
    const position = this.#position;
    this.#position += bytes.length;
    const written = this.#writeAll(bytes, position);
    this.#writes.add(written);
    try {
      await written;
    } catch (error) {
      throw translateFileError(error, basename(this.#path));
    } finally {
      this.#writes.delete(written);
    }
    this.#unsyncedBytes += bytes.length;
    if (this.#unsyncedBytes >= SYNC_EVERY_BYTES) this.#startSync();
    onSpent();
  }

  async close(): Promise<void> {
    try {
      await Promise.all(this.#writes);
      await this.#sync;
      // A failed fdatasync may have dropped the pages: a later one that succeeds proves nothing.
      if (this.#syncError !== undefined) throw this.#syncError;
      // The name is there since the file was opened: the disk writes both at the same time.
      const named = syncDirectory(dirname(this.#path));
      named.catch(() => undefined);
      await syncFileData(this.#file);
      await named;
      // Of a file that was unlinked meanwhile, as by a sweep, nothing is left once it is closed.
      if (!isNamed(this.#file)) throw new Error('it was removed while it was written');
      await this.#closeFile();
      this.#state = 'closed';
    } catch (error) {
      throw translateFileError(error, basename(this.#path));
    }
  }

  async abort(): Promise<void> {
    if (this.#state !== 'open') return;
    this.#state = 'aborted';
    await Promise.allSettled(this.#writes);
    // The last of them may have begun it.
    await this.#sync;
    // The sweeper finds what can't be removed now.
    await this.#closeFile().catch(() => undefined);
    await unlink(this.#path).catch(() => undefined);
  }

  /** Once: the number may be another file's then. */
  async #closeFile(): Promise<void> {
    if (!this.#hasDescriptor) return;
    this.#hasDescriptor = false;
    closeFile(this.#file);
  }

  async #writeAll(bytes: Uint8Array, position: number): Promise<void> {
    let done = 0;
    while (done < bytes.length) {
      const { bytesWritten } = await writeAt(
        this.#file,
        bytes,
        done,
        bytes.length - done,
        position + done,
      );
      done += bytesWritten;
    }
  }

  #startSync(): void {
    if (this.#sync) return;
    this.#unsyncedBytes = 0;
    this.#sync = syncFileData(this.#file)
      .catch((error: unknown) => {
        this.#syncError = error;
      })
      .finally(() => {
        this.#sync = undefined;
      });
  }
}
