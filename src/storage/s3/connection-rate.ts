/** Bytes after which it is looked who waits for whom: S3 itself reads objects in steps of some MiB. */
const BLOCK_BYTES = 4 * 1024 * 1024;
/** Below it a connection, and not this machine, bounds who reads: 120 MB/s. */
const SLOW_BYTES_PER_MS = 120_000;
/** Less waiting proves nothing, and more than this is forgotten by halves. */
const PROVEN_MS = 100;
const REMEMBERED_MS = 2_000;

/** So many connections together carry what this machine, or S3, has to give. */
const ENOUGH_STREAMS = 5;

/** What a connection to a bucket gives, while its readers wait for S3. */
export class ConnectionRate {
  /** Reads that are measured now, each over one connection. */
  #streams = 0;
  #bytes = 0;
  #waitedMs = 0;

  /** One more connection would give more. */
  get wantsMore(): boolean {
    return this.isSlow && this.#streams < ENOUGH_STREAMS;
  }

  get isSlow(): boolean {
    return this.#waitedMs >= PROVEN_MS && this.#bytes < this.#waitedMs * SLOW_BYTES_PER_MS;
  }

  /** For one more read, which has to be ended. */
  measure(): RateMeter {
    this.#streams += 1;
    return new RateMeter(this, () => {
      this.#streams -= 1;
    });
  }

  add(bytes: number, waitedMs: number): void {
    this.#bytes += bytes;
    this.#waitedMs += waitedMs;
    if (this.#waitedMs < REMEMBERED_MS) return;
    this.#bytes /= 2;
    this.#waitedMs /= 2;
  }
}

/** Measures one connection at a time. */
class RateMeter {
  readonly #rate: ConnectionRate;
  /** Once. */
  readonly end: () => void;
  #sinceMs = performance.now();
  #bytes = 0;
  #waitedMs = 0;
  #readerMs = 0;

  constructor(rate: ConnectionRate, end: () => void) {
    this.#rate = rate;
    this.end = end;
  }

  /** The body of an answer begins. */
  begin(): void {
    this.#lap();
  }

  /** A chunk is there. */
  came(bytes: number): void {
    this.#waitedMs += this.#lap();
    this.#bytes += bytes;
    if (this.#bytes < BLOCK_BYTES) return;
    // A reader that takes its time finds all in the kernel, and tells nothing of S3.
    if (this.#waitedMs > this.#readerMs) this.#rate.add(this.#bytes, this.#waitedMs);
    this.#bytes = 0;
    this.#waitedMs = 0;
    this.#readerMs = 0;
  }

  /** The reader asks for the next one. */
  asked(): void {
    this.#readerMs += this.#lap();
  }

  #lap(): number {
    const nowMs = performance.now();
    const lapMs = nowMs - this.#sinceMs;
    this.#sinceMs = nowMs;
    return lapMs;
  }
}
