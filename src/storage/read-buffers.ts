const MIB = 1024 * 1024;

/**
 * glibc places large memory 16 bytes behind a page's begin. There, and 1 to 31 bytes behind it in general, AMD's Zen 3 copies
 * what comes from a page's begin, as a file does, at a fifth of its speed: 1.6 instead of 8 GB/s.
 */
const FURTHER_BYTES = 48;

function newBuffer(sizeBytes: number): Buffer {
  return Buffer.allocUnsafeSlow(FURTHER_BYTES + sizeBytes).subarray(FURTHER_BYTES);
}

/** How far a reader may read ahead: a slow one little, one that keeps up much. */
export type StepSize = 'large' | 'small';

/** Buffers of one size, for all readers of this thread, reused. */
class BufferShelf {
  readonly #bufferBytes: number;
  readonly #limit: number;
  readonly #maxSpare: number;
  readonly #spare: Buffer[] = [];
  #taken = 0;

  /** @param limit buffers that may be taken at a time; `maxSpare` of them are kept for the next reader */
  constructor(bufferBytes: number, limit: number, maxSpare: number) {
    this.#bufferBytes = bufferBytes;
    this.#limit = limit;
    this.#maxSpare = maxSpare;
  }

  get takenBytes(): number {
    return this.#taken * this.#bufferBytes;
  }

  /** Undefined: all are taken. */
  take(): Buffer | undefined {
    if (this.#taken >= this.#limit) return undefined;
    this.#taken += 1;
    return this.#spare.pop() ?? newBuffer(this.#bufferBytes);
  }

  /** @returns false when the buffer isn't of this shelf. */
  give(buffer: Buffer): boolean {
    if (buffer.length !== this.#bufferBytes) return false;
    this.#taken -= 1;
    if (this.#spare.length < this.#maxSpare) this.#spare.push(buffer);
    return true;
  }
}

/** Of a distant object, read before it is asked for. */
export const PIECE_BYTES = 4 * MIB;

/** Of all buffers for readers that keep up: those of `largest` and `large`. */
const LARGE_BYTES = 32 * MIB;

/** 32 MiB for each kind of reader: slow ones take nothing from those that keep up. */
const SHELVES = {
  piece: new BufferShelf(PIECE_BYTES, 8, 4),
  // The first few that keep up read the most at a time: a tenth less CPU a byte than with half of it.
  largest: new BufferShelf(2 * MIB, 8, 4),
  large: new BufferShelf(MIB, 16, 4),
  small: new BufferShelf(MIB / 16, 512, 128),
};
/** What is left for the thousandth slow reader: about what its connection costs anyhow. */
const TINY_STEP_BYTES = 4 * 1024;

/** Half of the large buffers are for readers that are known well. */
export function areLargeReadBuffersScarce(): boolean {
  return (SHELVES.largest.takenBytes + SHELVES.large.takenBytes) * 2 >= LARGE_BYTES;
}

/** A buffer of that size, or a smaller one where too many readers have theirs. Give it back. */
export function takeReadBuffer(size: StepSize): Buffer {
  const large = size === 'large' ? (SHELVES.largest.take() ?? SHELVES.large.take()) : undefined;
  return large ?? SHELVES.small.take() ?? newBuffer(TINY_STEP_BYTES);
}

/** One of PIECE_BYTES, or undefined where readers have all. Give it back. */
export function takePieceBuffer(): Buffer | undefined {
  return SHELVES.piece.take();
}

/** No one reads its bytes any more. */
export function giveReadBuffer(buffer: Buffer): void {
  Object.values(SHELVES).some((shelf) => shelf.give(buffer));
}
