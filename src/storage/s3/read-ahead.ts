import { giveReadBuffer, PIECE_BYTES, takePieceBuffer } from '../read-buffers.ts';

/** Most pieces that a reader has at a time, each from a connection of its own. */
const MAX_DEPTH = 4;
/** What a slow client would hold of a piece at once. */
const STEP_BYTES = 1024 * 1024;

/** Reads a range over one connection; ends when the signal is aborted. */
type ReadRange = (start: number, end: number, signal?: AbortSignal) => AsyncIterable<Uint8Array>;

/**
 * Reads a range over several connections at once, in pieces of 4 MiB that wait in memory of ours; the first one is given
 * as it comes. There is one piece at first, and more while the reader waits for them. A reader that lets them wait has fewer,
 * and one connection in the end, as where more connections aren't wanted, or other readers have all of the memory.
 */
export async function* readAhead(
  read: ReadRange,
  { start, end }: { readonly start: number; readonly end: number },
  wantsMore: () => boolean,
): AsyncGenerator<Uint8Array, void, undefined> {
  const pieces: Piece[] = [];
  let depth = 1;
  let begun = start;
  const nextEnd = () => Math.min(begun + PIECE_BYTES, end);
  const beginPieces = () => {
    while (pieces.length < depth && begun < end && wantsMore()) {
      const buffer = takePieceBuffer();
      if (!buffer) return;
      pieces.push(new Piece(buffer, read, begun, nextEnd()));
      begun = nextEnd();
    }
  };
  /** The next bytes as they come, up to the first piece; all that are left where none can be begun. */
  const readDirectly = () => {
    const from = begun;
    begun = nextEnd();
    const to = begun;
    beginPieces();
    if (pieces.length > 0) return read(from, to);
    begun = end;
    return read(from, end);
  };
  try {
    for (;;) {
      const [piece] = pieces;
      if (piece) {
        depth = Math.min(depth + piece.vote, MAX_DEPTH);
        yield* piece.chunks();
        pieces.shift();
        await piece.end();
        beginPieces();
      } else if (begun < end) yield* readDirectly();
      else return;
    }
  } finally {
    await Promise.all(pieces.map((piece) => piece.end()));
  }
}

/** A part of the range, read into a buffer as fast as S3 sends it. */
class Piece {
  readonly #buffer: Buffer;
  readonly #lengthBytes: number;
  readonly #ending = new AbortController();
  readonly #filled: Promise<void>;
  readonly #beganMs = performance.now();
  #filledMs: number | undefined;

  constructor(buffer: Buffer, read: ReadRange, start: number, end: number) {
    this.#buffer = buffer;
    this.#lengthBytes = end - start;
    this.#filled = this.#fill(read(start, end, this.#ending.signal));
    // Who asks for the chunks meets it.
    this.#filled.catch(() => undefined);
  }

  /** When its turn comes: 1 for more pieces, if it isn't there yet; -1 for fewer, if it has waited for longer than it took. */
  get vote(): number {
    if (this.#filledMs === undefined) return 1;
    const tookMs = this.#filledMs - this.#beganMs;
    return performance.now() - this.#filledMs > tookMs ? -1 : 0;
  }

  async *chunks(): AsyncGenerator<Uint8Array, void, undefined> {
    await this.#filled;
    for (let from = 0; from < this.#lengthBytes; from += STEP_BYTES) {
      yield this.#buffer.subarray(from, Math.min(from + STEP_BYTES, this.#lengthBytes));
    }
  }

  /** Gives the buffer back, when nothing is written into it any more. */
  async end(): Promise<void> {
    this.#ending.abort();
    await this.#filled.catch(() => undefined);
    giveReadBuffer(this.#buffer);
  }

  async #fill(chunks: AsyncIterable<Uint8Array>): Promise<void> {
    let filled = 0;
    for await (const chunk of chunks) {
      this.#buffer.set(chunk, filled);
      filled += chunk.length;
    }
    this.#filledMs = performance.now();
  }
}
