import { type FileHandle, open } from 'node:fs/promises';
import { StoreUnavailable } from '../blob-store.ts';
import { translateFileError } from './file-error.ts';

/** A reader begins with small steps, so that many slow readers hold little memory … */
const SMALL_STEP_BYTES = 64 * 1024;
/** … and takes large ones, three ahead, once it has shown that it keeps up. */
const LARGE_STEP_BYTES = 512 * 1024;
const LARGE_STEPS_AHEAD = 3;
/** A reader that asks for the next chunk within this time keeps up. */
const KEEPS_UP_MS = 20;
/** Memory that the large steps of all readers of this thread may take; past it they stay small. */
const READ_AHEAD_BUDGET_BYTES = 48 * 1024 * 1024;
/** Large buffers kept for the next reader. */
const MAX_SPARE_BUFFERS = 16;

let largeBytesInUse = 0;
const spareBuffers: Buffer[] = [];

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
  #lentAtMs = 0;
  #keepsUp = false;

  constructor(file: FileHandle, start: number, end: number) {
    this.#file = file;
    this.#position = start;
    this.#end = end;
  }

  async next(): Promise<Uint8Array | undefined> {
    if (this.#lent) {
      this.#keepsUp = performance.now() - this.#lentAtMs < KEEPS_UP_MS;
      giveBuffer(this.#lent.buffer);
    }
    const ahead = this.#keepsUp ? LARGE_STEPS_AHEAD : 1;
    while (this.#steps.length < ahead && this.#position < this.#end) this.#start();
    this.#lent = this.#steps.shift();
    const chunk = await this.#lent?.filled;
    this.#lentAtMs = performance.now();
    return chunk;
  }

  /** Waits for the reads under way, since the kernel still fills their buffers. */
  async close(): Promise<void> {
    const steps = this.#lent ? [this.#lent, ...this.#steps] : this.#steps;
    await Promise.allSettled(steps.map((step) => step.filled));
    for (const step of steps) giveBuffer(step.buffer);
    await this.#file.close();
  }

  #start(): void {
    const left = this.#end - this.#position;
    const buffer = takeBuffer(this.#keepsUp && left > SMALL_STEP_BYTES, left);
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

function takeBuffer(wantsLarge: boolean, leftBytes: number): Buffer {
  if (wantsLarge && largeBytesInUse + LARGE_STEP_BYTES <= READ_AHEAD_BUDGET_BYTES) {
    largeBytesInUse += LARGE_STEP_BYTES;
    return spareBuffers.pop() ?? Buffer.allocUnsafeSlow(LARGE_STEP_BYTES);
  }
  return Buffer.allocUnsafe(Math.min(SMALL_STEP_BYTES, leftBytes));
}

function giveBuffer(buffer: Buffer): void {
  if (buffer.length !== LARGE_STEP_BYTES) return;
  largeBytesInUse -= LARGE_STEP_BYTES;
  if (spareBuffers.length < MAX_SPARE_BUFFERS) spareBuffers.push(buffer);
}
