import { areLargeReadBuffersScarce, type StepSize } from './read-buffers.ts';

/** A reader that asks for the next chunk within this time keeps up. */
const KEEPS_UP_MS = 20;
/**
 * Bytes for which it has to keep up before its steps are large, once large buffers are scarce. The kernel takes a few
 * MiB ahead of any reader: one that stalls after them holds its buffers for as long as it likes.
 */
const PROVEN_BYTES = 8 * 1024 * 1024;

/** How fast a reader takes what it is given. */
export class ReaderPace {
  #lentAtMs = 0;
  /** That the reader took in time, one after the other. */
  #inTimeBytes = 0;

  /** The reader has a chunk. */
  lend(): void {
    this.#lentAtMs = performance.now();
  }

  /** It asks for the next one. */
  take(sizeBytes: number): void {
    const isInTime = performance.now() - this.#lentAtMs < KEEPS_UP_MS;
    this.#inTimeBytes = isInTime ? this.#inTimeBytes + sizeBytes : 0;
  }

  get keepsUp(): boolean {
    return this.#inTimeBytes > 0;
  }

  get stepSize(): StepSize {
    return this.#inTimeBytes >= (areLargeReadBuffersScarce() ? PROVEN_BYTES : 1)
      ? 'large'
      : 'small';
  }
}
