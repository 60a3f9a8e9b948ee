import type { HttpResponse } from 'uWebSockets.js';
import { Pace, type PaceRule } from './pace.ts';

/** In chunked coding uWebSockets.js copies what the kernel doesn't take: no more than this, or twice of small chunks. */
const PIECE_BYTES = 16 * 1024;

interface StalledChunk {
  /** Gives the kernel what it had not taken, from an offset of the answer on. @returns true when it took all of it */
  readonly goOn: (offset: number) => boolean;
  resume: () => void;
}

/** The body of an answer, a chunk at a time, with back-pressure. */
export class UwsStream {
  /** Of the reader. */
  readonly pace: Pace;
  readonly #response: HttpResponse;
  /** Undefined: it is sent in chunked coding. */
  readonly #lengthBytes: number | undefined;
  readonly #onWhole: () => void;
  /** The chunk that the kernel has taken a part of. */
  #stalled: StalledChunk | undefined;
  #hasWritableHandler = false;
  /** In chunked coding: what was written so far. */
  #writtenBytes = 0;
  /** What had been taken of the answer when the kernel was full the last time. */
  #takenBytes = 0;
  #isEnded = false;

  /** @param onWhole told when `lengthBytes` are with the kernel: the response object must not be touched from then on */
  constructor(
    response: HttpResponse,
    rule: PaceRule,
    lengthBytes: number | undefined,
    onWhole: () => void,
  ) {
    this.#response = response;
    this.pace = new Pace(rule);
    this.#lengthBytes = lengthBytes;
    this.#onWhole = onWhole;
  }

  /**
   * Resolves when the chunk is with the kernel, in chunked coding but for a piece, or the client is gone. Undefined: it is already.
   * @param writeHead called first, for what goes out before it
   */
  write(chunk: Uint8Array, writeHead: (() => void) | undefined): Promise<void> | undefined {
    this.#response.cork(() => {
      writeHead?.();
      this.#writeChunk(chunk);
    });
    const stalled = this.#stalled;
    if (!stalled) return undefined;
    this.#waitForReader();
    return new Promise((resolve) => {
      stalled.resume = resolve;
      if (this.#hasWritableHandler) return;
      // Once: a handler that is set while one runs is overwritten with the one that runs.
      this.#hasWritableHandler = true;
      this.#response.onWritable((offset) => this.#onWritable(offset));
    });
  }

  /** The client is gone: nobody waits for its reading any more. */
  end(): void {
    this.#isEnded = true;
    this.#stalled?.resume();
  }

  #writeChunk(chunk: Uint8Array): void {
    const resume = () => undefined;
    if (this.#lengthBytes === undefined) {
      const goOn = this.#inPieces(chunk);
      if (!goOn()) this.#stalled = { goOn, resume };
      return;
    }
    const lengthBytes = this.#lengthBytes;
    const begin = this.#response.getWriteOffset();
    if (this.#tryEnd(chunk, lengthBytes)) return;
    const goOn = (offset: number) => this.#tryEnd(chunk.subarray(offset - begin), lengthBytes);
    this.#stalled = { goOn, resume };
  }

  /** In chunked coding. @returns what writes until the kernel is full; true when nothing was left to write */
  #inPieces(chunk: Uint8Array): () => boolean {
    let from = 0;
    return () => {
      while (from < chunk.length) {
        const piece = chunk.subarray(from, from + PIECE_BYTES);
        from += piece.length;
        this.#writtenBytes += piece.length;
        if (!this.#writePiece(piece)) return false;
      }
      return true;
    };
  }

  /** Together with what chunked coding writes around it. @returns false when the kernel is full */
  #writePiece(piece: Uint8Array): boolean {
    let isTaken = true;
    this.#response.cork(() => {
      isTaken = this.#response.write(piece);
    });
    return isTaken;
  }

  /** @returns true when nothing is left to write. */
  #onWritable(offset: number): boolean {
    const stalled = this.#stalled;
    if (!stalled) return true;
    this.pace.stop(Date.now());
    if (!stalled.goOn(offset)) {
      this.#waitForReader();
      return false;
    }
    this.#stalled = undefined;
    stalled.resume();
    return true;
  }

  /** @returns true when the kernel took all of it. */
  #tryEnd(chunk: Uint8Array, lengthBytes: number): boolean {
    const [isOk, isWhole] = this.#response.tryEnd(chunk, lengthBytes);
    if (isWhole) {
      this.#isEnded = true;
      this.#onWhole();
    }
    return isOk || isWhole;
  }

  /** The kernel took what it could; the rest is for when the reader took of that. */
  #waitForReader(): void {
    if (this.#isEnded) return;
    const isChunked = this.#lengthBytes === undefined;
    const taken = isChunked ? this.#writtenBytes : this.#response.getWriteOffset();
    this.pace.wait(Date.now(), taken - this.#takenBytes);
    this.#takenBytes = taken;
  }
}
