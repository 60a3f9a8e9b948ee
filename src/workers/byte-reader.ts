const NONE: Uint8Array = new Uint8Array(0);

/** Takes bytes by count from chunks of any size, of which each is valid until the next one is asked for. */
export class ByteReader {
  readonly #chunks: AsyncIterator<Uint8Array>;
  #rest = NONE;

  constructor(chunks: AsyncIterable<Uint8Array>) {
    this.#chunks = chunks[Symbol.asyncIterator]();
  }

  async isAtEnd(): Promise<boolean> {
    while (this.#rest.length === 0) {
      const next = await this.#chunks.next();
      if (next.done) return true;
      this.#rest = next.value;
    }
    return false;
  }

  /** A copy of the next `count` bytes; fewer at the end. */
  async take(count: number): Promise<Uint8Array> {
    const bytes = new Uint8Array(count);
    const filled = await this.readInto(bytes);
    return filled === count ? bytes : bytes.subarray(0, filled);
  }

  /** Copies the next bytes. @returns how many; at the end they may be fewer than there is room for */
  async readInto(bytes: Uint8Array): Promise<number> {
    let filled = 0;
    while (filled < bytes.length && !(await this.isAtEnd())) {
      const piece = this.#rest.subarray(0, bytes.length - filled);
      bytes.set(piece, filled);
      filled += piece.length;
      this.#rest = this.#rest.subarray(piece.length);
    }
    return filled;
  }

  /** @returns false when there were fewer */
  async skip(count: number): Promise<boolean> {
    let left = count;
    while (left > 0 && !(await this.isAtEnd())) {
      const skipped = Math.min(left, this.#rest.length);
      this.#rest = this.#rest.subarray(skipped);
      left -= skipped;
    }
    return left === 0;
  }

  /** What has not been taken, with `before` in front of it. Ending it early ends the source. */
  async *remaining(before: Uint8Array = NONE): AsyncGenerator<Uint8Array, void, undefined> {
    try {
      if (before.length > 0) yield before;
      while (!(await this.isAtEnd())) {
        const bytes = this.#rest;
        this.#rest = NONE;
        yield bytes;
      }
    } finally {
      await this.close();
    }
  }

  async close(): Promise<void> {
    await this.#chunks.return?.();
  }
}
