import { Transform, type TransformCallback } from 'node:stream';

const BUFFER_BYTES = 256 * 1024;
/** Timers are no finer. */
const SHORTEST_PAUSE_MS = 2;

/** Bytes per second of one direction of a connection; what is passed on too early is waited for later. */
export class Pace {
  readonly #bytesPerSecond: number;
  #freeAtMs = 0;

  constructor(bytesPerSecond: number) {
    this.#bytesPerSecond = bytesPerSecond;
  }

  /** @returns how long they must wait, in ms */
  take(bytes: number): number {
    const now = performance.now();
    this.#freeAtMs = Math.max(this.#freeAtMs, now) + (bytes / this.#bytesPerSecond) * 1000;
    return this.#freeAtMs - now;
  }
}

export interface PassageOptions {
  readonly onBytes: (count: number) => void;
  readonly pace: Pace | undefined;
  /** So many bytes get through, and `onCut` is called in place of the rest. */
  readonly cut: { readonly afterBytes: number; readonly onCut: () => void } | undefined;
}

/** What a body passes through. */
export class Passage extends Transform {
  readonly #options: PassageOptions;
  #leftBytes: number;

  constructor(options: PassageOptions) {
    super({ highWaterMark: BUFFER_BYTES });
    this.#options = options;
    this.#leftBytes = options.cut?.afterBytes ?? Number.POSITIVE_INFINITY;
  }

  override _transform(chunk: Buffer, _: BufferEncoding, done: TransformCallback): void {
    const { onBytes, pace, cut } = this.#options;
    const pass = () => done(null, chunk);
    onBytes(chunk.length);
    if (chunk.length > this.#leftBytes) {
      this.push(chunk.subarray(0, this.#leftBytes));
      this.#leftBytes = 0;
      // Later, so that what was pushed is on its way. `done` isn't called: nothing follows.
      setImmediate(() => cut?.onCut());
      return;
    }
    this.#leftBytes -= chunk.length;
    const waitMs = pace?.take(chunk.length) ?? 0;
    if (waitMs < SHORTEST_PAUSE_MS) pass();
    else setTimeout(pass, waitMs);
  }
}
