import type { MessagePort } from 'node:worker_threads';
import type { ByteSource } from '../oci/byte-source.ts';
import { BUFFER_BYTES, type BufferPool, type BufferUser } from './buffer-pool.ts';
import type { PartCredit } from './part-budget.ts';
import type { ToWorker } from './protocol.ts';

/** Of a body that is stored by one message: to copy it costs less than a channel to the worker. */
const SMALL_BYTES = 64 * 1024;

/** With the interval of `check`, less than two of the shortest HTTP_IDLE_TIMEOUT: then a sweep takes an object for a stray one. */
const MAX_FILLING_MS = 1000;

/** What bounds an append: so many buffers under way, or a credit where the store takes large parts. */
export type FeedLimit = { readonly maxUnderWay: number } | { readonly credit: PartCredit };

/**
 * The HTTP thread's side of an append: copies what arrives into buffers, hands full ones to the worker, and
 * pauses the sender while too many are under way. It never waits and never digests.
 */
export class AppendFeed implements BufferUser {
  readonly #source: ByteSource;
  readonly #openPort: () => MessagePort;
  #port: MessagePort | undefined;
  readonly #pool: BufferPool;
  readonly #maxUnderWay: number;
  readonly #credit: PartCredit | undefined;
  #buffer: SharedArrayBuffer | undefined;
  #view: Buffer = Buffer.alloc(0);
  #filled = 0;
  #underWay = 0;
  #isPaused = false;
  #isStopped = false;
  #isClosed = false;
  #sawBytes = false;
  /** When the buffer was taken, of performance.now(). */
  #takenMs = 0;
  /** Rejects when there is no memory for the rest, and won't be. */
  readonly refused: Promise<never>;
  receivedBytes = 0;

  /** @param openPort opens the way to the worker, when the first bytes are to be sent */
  constructor(source: ByteSource, openPort: () => MessagePort, pool: BufferPool, limit: FeedLimit) {
    this.#source = source;
    this.#openPort = openPort;
    this.#pool = pool;
    this.#credit = 'credit' in limit ? limit.credit : undefined;
    this.#maxUnderWay = 'credit' in limit ? Infinity : limit.maxUnderWay;
    this.refused = new Promise((_, reject) => {
      this.#credit?.listen(() => this.#steer(), reject);
    });
    this.refused.catch(() => undefined);
    pool.join(this);
  }

  /** Copies a chunk; what comes after `stop` is dropped. */
  write(chunk: Uint8Array): void {
    if (this.#isStopped) return;
    this.receivedBytes += chunk.length;
    this.#credit?.receive(chunk.length);
    this.#sawBytes = true;
    for (let from = 0; from < chunk.length; ) {
      this.#buffer ??= this.#take();
      const length = Math.min(BUFFER_BYTES - this.#filled, chunk.length - from);
      // fill() copies as memcpy does; set() copies into shared memory byte by byte.
      this.#view.fill(
        length === chunk.length ? chunk : chunk.subarray(from, from + length),
        this.#filled,
        this.#filled + length,
      );
      this.#filled += length;
      from += length;
      if (this.#filled === BUFFER_BYTES) this.flush();
    }
    if (this.#pool.isShort) this.flush();
    this.#steer();
  }

  /** A copy of all bytes, if they are few and none was sent; undefined: they are on their way to the worker, or have to be. */
  get small(): Uint8Array<ArrayBuffer> | undefined {
    if (this.#port || this.#filled > SMALL_BYTES) return undefined;
    return Buffer.allocUnsafeSlow(this.#filled).fill(this.#view.subarray(0, this.#filled));
  }

  /** Sends a half-filled buffer on its way. */
  flush(): void {
    if (!this.#buffer) return;
    const buffer = this.#buffer;
    const message: ToWorker = { kind: 'bytes', buffer, length: this.#filled };
    this.#buffer = undefined;
    this.#filled = 0;
    this.#underWay += 1;
    this.#send(message);
  }

  /**
   * Called at intervals. An append that received nothing since the last call holds no buffer after it, and one that fills its buffer
   * slowly none for long, so that the store's object shows that it lives. Where parts are gathered, that frees nothing: a slow
   * one is cut then, when others wait, and goes on with a new object.
   */
  check(): void {
    if (this.#isStopped) return;
    if (this.#credit?.isOverdue) this.#cut(this.#credit);
    else if (!this.#credit && (!this.#sawBytes || this.#isFillingSlowly)) this.flush();
    this.#sawBytes = false;
  }

  /** A buffer came home. */
  onSpent(buffer: SharedArrayBuffer, length: number): void {
    // Those that were under way at the end were given up then.
    if (this.#isClosed) return;
    this.#underWay -= 1;
    this.#credit?.spend(length);
    this.#pool.give(buffer);
    this.#steer();
  }

  onShortage(): void {
    if (!this.#isStopped) this.flush();
    this.#steer();
  }

  onRelief(): void {
    this.#steer();
  }

  /**
   * The body is over: nothing is taken, and nothing sent but by `flush`, so that bytes that are stored another way aren't stored
   * twice. What it holds stays counted until `close`; what was granted for more is given back.
   */
  stop(): void {
    this.#isStopped = true;
    this.#credit?.yield();
  }

  /** The append is over. Buffers that are still under way are given up. */
  close(): void {
    if (this.#isClosed) return;
    this.stop();
    this.#isClosed = true;
    this.#credit?.close();
    this.#pool.leave(this);
    if (this.#buffer) this.#pool.give(this.#buffer);
    this.#buffer = undefined;
    this.#pool.forget(this.#underWay);
    this.#underWay = 0;
  }

  #cut(credit: PartCredit): void {
    this.flush();
    this.#send({ kind: 'cut' });
    credit.yield();
    this.#steer();
  }

  #send(message: ToWorker): void {
    this.#port ??= this.#openPort();
    this.#port.postMessage(message);
  }

  get #isFillingSlowly(): boolean {
    return performance.now() - this.#takenMs > MAX_FILLING_MS;
  }

  #take(): SharedArrayBuffer {
    const buffer = this.#pool.take();
    this.#takenMs = performance.now();
    this.#view = Buffer.from(buffer);
    return buffer;
  }

  /** Pauses or resumes the sender, as the buffers demand. */
  #steer(): void {
    if (this.#isStopped) return;
    const mustPause = this.#credit
      ? !this.#credit.ask()
      : this.#underWay >= this.#maxUnderWay || this.#pool.isShort;
    if (mustPause === this.#isPaused) return;
    this.#isPaused = mustPause;
    if (mustPause) this.#source.pause();
    else this.#source.resume();
  }
}
