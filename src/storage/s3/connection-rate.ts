/** Bytes after which it is looked who waits for whom: S3 itself reads objects in steps of some MiB. */
const BLOCK_BYTES = 4 * 1024 * 1024;
/** Below it a connection, and not this machine, bounds who reads: 120 MB/s. */
const SLOW_BYTES_PER_MS = 120_000;
/** Less waiting proves nothing, and more than this is forgotten by halves. */
const PROVEN_MS = 100;
const REMEMBERED_MS = 2_000;
/** Most that one block tells: S3 may stall now and then. */
const MAX_BLOCK_MS = 500;
/** Then it is looked again: while several connections are in use, nothing is learned of a single one. */
const VALID_MS = 10 * 60_000;

/** So many connections together carry what this machine, or S3, has to give. */
const ENOUGH_STREAMS = 5;

/** What a single connection to a bucket gives, while its reader waits for S3. */
export class ConnectionRate {
  /** Reads that wait for S3 now, each over one connection. */
  #streams = 0;
  #bytes = 0;
  #waitedMs = 0;
  #measuredAtMs = 0;

  /** One more connection would give more. */
  get wantsMore(): boolean {
    return this.isSlow && this.#streams < ENOUGH_STREAMS;
  }

  get isSlow(): boolean {
    const isKnown =
      this.#waitedMs >= PROVEN_MS && performance.now() - this.#measuredAtMs < VALID_MS;
    return isKnown && this.#bytes < this.#waitedMs * SLOW_BYTES_PER_MS;
  }

  /** For one more read, which has to be ended. */
  measure(): RateMeter {
    return new RateMeter(this);
  }

  began(): void {
    this.#streams += 1;
  }

  ended(): void {
    this.#streams -= 1;
  }

  /** Of one read. Several that wait at the same time share this machine, and tell nothing of a connection. */
  add(bytes: number, waitedMs: number): void {
    if (this.#streams > 1) return;
    this.#bytes += bytes;
    this.#waitedMs += Math.min(waitedMs, MAX_BLOCK_MS);
    this.#measuredAtMs = performance.now();
    if (this.#waitedMs < REMEMBERED_MS) return;
    this.#bytes /= 2;
    this.#waitedMs /= 2;
  }
}

/** Measures one connection at a time. */
class RateMeter {
  readonly #rate: ConnectionRate;
  #isWaiting = false;
  #sinceMs = performance.now();
  #bytes = 0;
  #waitedMs = 0;
  #readerMs = 0;

  constructor(rate: ConnectionRate) {
    this.#rate = rate;
    this.#setWaiting(true);
  }

  /** The body of an answer begins. */
  begin(): void {
    this.#lap();
  }

  /** A chunk is there. */
  came(bytes: number): void {
    this.#waitedMs += this.#lap();
    this.#bytes += bytes;
    if (this.#bytes >= BLOCK_BYTES) this.#tell();
    this.#setWaiting(false);
  }

  /** The reader asks for the next one. */
  asked(): void {
    this.#readerMs += this.#lap();
    this.#setWaiting(true);
  }

  end(): void {
    this.#setWaiting(false);
  }

  /** A reader that takes its time finds all in the kernel, and tells nothing of S3. */
  #tell(): void {
    if (this.#waitedMs > this.#readerMs) this.#rate.add(this.#bytes, this.#waitedMs);
    this.#bytes = 0;
    this.#waitedMs = 0;
    this.#readerMs = 0;
  }

  #setWaiting(isWaiting: boolean): void {
    if (isWaiting === this.#isWaiting) return;
    this.#isWaiting = isWaiting;
    if (isWaiting) this.#rate.began();
    else this.#rate.ended();
  }

  #lap(): number {
    const nowMs = performance.now();
    const lapMs = nowMs - this.#sinceMs;
    this.#sinceMs = nowMs;
    return lapMs;
  }
}
