import { giveReadBuffer, takeReadBuffer } from '../read-buffers.ts';
import { ReaderPace } from '../reader-pace.ts';
import { HEAD_BUFFER, type Receiver, type S3Connection } from './s3-connection.ts';

type Step = IteratorResult<Uint8Array, undefined>;
const DONE: Step = { done: true, value: undefined };

interface Waiting {
  resolve(step: Step): void;
  reject(error: Error): void;
}

/**
 * The body of an answer, of known length. Each chunk is valid until the next one is asked for: the connection reads into
 * its memory again then. It reads only while somebody waits; meanwhile the kernel reads ahead.
 */
export class RangeBody implements Receiver, AsyncIterableIterator<Uint8Array, undefined> {
  readonly #connection: S3Connection;
  readonly #onWhole: () => void;
  readonly #pace = new ReaderPace();
  /** What came with the head. */
  #first: Uint8Array | undefined;
  /** Not received yet. */
  #leftBytes: number;
  /** The connection reads into it. Undefined: it is somebody else's now. */
  #buffer: Buffer | undefined;
  /** The caller's chunk lies in it. */
  #lent: Buffer | undefined;
  #waiting: Waiting | undefined;
  #failure: Error | undefined;
  #isEnded = false;

  /** @param onWhole the connection has no more of the body */
  constructor(
    connection: S3Connection,
    { first, lengthBytes }: { readonly first: Uint8Array; readonly lengthBytes: number },
    onWhole: () => void,
  ) {
    this.#connection = connection;
    this.#first = first.length > 0 ? first : undefined;
    this.#leftBytes = lengthBytes - first.length;
    this.#onWhole = onWhole;
    if (this.#leftBytes > 0) {
      this.#buffer = takeReadBuffer('small');
      connection.passTo(this);
    } else onWhole();
  }

  get target(): Uint8Array {
    return this.#buffer?.subarray(0, this.#leftBytes) ?? HEAD_BUFFER;
  }

  receive(count: number): boolean {
    const buffer = this.#buffer;
    const waiting = this.#waiting;
    if (!buffer || !waiting) {
      this.#connection.end(new Error('bytes came that nobody waits for'));
      return false;
    }
    this.#waiting = undefined;
    this.#leftBytes -= count;
    this.#lent = buffer;
    this.#buffer = this.#leftBytes > 0 ? this.#nextAfter(buffer) : undefined;
    if (this.#leftBytes === 0) this.#onWhole();
    this.#pace.lend();
    waiting.resolve({ done: false, value: buffer.subarray(0, count) });
    return this.#leftBytes === 0;
  }

  fail(error: Error): void {
    this.#failure = error;
    this.#waiting?.reject(error);
    this.#waiting = undefined;
  }

  next(): Promise<Step> {
    this.#takeBack();
    const first = this.#first;
    this.#first = undefined;
    if (first) return Promise.resolve({ done: false, value: first });
    if (this.#isEnded || this.#leftBytes === 0) return Promise.resolve(DONE);
    if (this.#failure) return Promise.reject(this.#failure);
    return new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject };
      this.#connection.resume();
    });
  }

  return(): Promise<Step> {
    this.destroy();
    return Promise.resolve(DONE);
  }

  /** Gives up what hasn't come; `error` is for who waits for it. Nothing happens after the end. */
  destroy(error = new Error('the reader has ended')): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.#first = undefined;
    const buffers = new Set([this.#buffer, this.#lent]);
    this.#lent = undefined;
    const giveBack = () => {
      for (const buffer of buffers) if (buffer) giveReadBuffer(buffer);
    };
    if (this.#buffer) this.#connection.end(error, giveBack);
    else giveBack();
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  /** One of the right size for the reader; the same if it is. */
  #nextAfter(buffer: Buffer): Buffer {
    const next = takeReadBuffer(this.#pace.stepSize);
    if (next.length !== buffer.length) return next;
    giveReadBuffer(next);
    return buffer;
  }

  #takeBack(): void {
    const lent = this.#lent;
    if (!lent) return;
    this.#lent = undefined;
    this.#pace.take(lent.length);
    if (lent !== this.#buffer) giveReadBuffer(lent);
  }
}
