import { type FileHandle, open } from 'node:fs/promises';
import { StoreUnavailable } from '../blob-store.ts';
import { giveReadBuffer, takeReadBuffer } from '../read-buffers.ts';
import { ReaderPace } from '../reader-pace.ts';
import { translateFileError } from './file-error.ts';

/** Of a reader that keeps up; a slow one holds what it is reading, and no more. */
const STEPS_AHEAD = 2;

/** The bytes `start` (inclusive) to `end` (exclusive) of a file; see BlobStore.read. */
export async function* readFileRange(
  path: string,
  key: string,
  start: number,
  end: number,
): AsyncGenerator<Uint8Array, void, undefined> {
  let reader: ReadAhead | undefined;
  try {
    const file = await open(path, 'r');
    reader = new ReadAhead(file, start, end);
    for (;;) {
      const chunk = await reader.next();
      if (!chunk) return;
      yield chunk;
    }
  } catch (error) {
    throw translateFileError(error, key);
  } finally {
    await reader?.close();
  }
}

interface Step {
  readonly buffer: Buffer;
  readonly filled: Promise<Uint8Array>;
}

class ReadAhead {
  readonly #file: FileHandle;
  readonly #end: number;
  readonly #steps: Step[] = [];
  #position: number;
  /** The step whose chunk the caller has. */
  #lent: Step | undefined;
  readonly #pace = new ReaderPace();

  constructor(file: FileHandle, start: number, end: number) {
    this.#file = file;
    this.#position = start;
    this.#end = end;
  }

  async next(): Promise<Uint8Array | undefined> {
    if (this.#lent) {
      this.#pace.take(this.#lent.buffer.length);
      giveReadBuffer(this.#lent.buffer);
    }
    const ahead = this.#pace.keepsUp ? STEPS_AHEAD : 1;
    while (this.#steps.length < ahead && this.#position < this.#end) this.#start();
    this.#lent = this.#steps.shift();
    const chunk = await this.#lent?.filled;
    this.#pace.lend();
    return chunk;
  }

  /** Waits for the reads under way, since the kernel still fills their buffers. */
  async close(): Promise<void> {
    const steps = this.#lent ? [this.#lent, ...this.#steps] : this.#steps;
    await Promise.allSettled(steps.map((step) => step.filled));
    for (const step of steps) giveReadBuffer(step.buffer);
    await this.#file.close();
  }

  #start(): void {
    const left = this.#end - this.#position;
    const buffer = takeReadBuffer(this.#pace.stepSize);
    const length = Math.min(buffer.length, left);
    const filled = fill(this.#file, buffer, length, this.#position);
    // The error is met when its chunk is asked for; until then it must not count as unhandled.
    filled.catch(() => undefined);
    this.#steps.push({ buffer, filled });
    this.#position += length;
  }
}

async function fill(file: FileHandle, buffer: Buffer, length: number, position: number) {
  let done = 0;
  while (done < length) {
    const { bytesRead } = await file.read(buffer, done, length - done, position + done);
    if (bytesRead === 0)
      throw new StoreUnavailable(`a file ends at byte ${position + done}, too early`);
    done += bytesRead;
  }
  return buffer.subarray(0, length);
}
