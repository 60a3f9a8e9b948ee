/** Size of the buffers that threads hand each other. Smaller ones cost wake-ups, larger ones caches. */
export const BUFFER_BYTES = 1024 * 1024;

/** Who takes buffers from the pool, and must be told when there are none. */
export interface BufferUser {
  /** The pool is empty: stop the sender, and send half-filled buffers on their way. */
  onShortage(): void;
  /** There are buffers again. */
  onRelief(): void;
}

/**
 * The buffers for bytes on their way to the store, made when first needed. They are shared by the
 * threads, not transferred: V8 takes memory that comes and goes for garbage, and collects it all the time. Who has handed
 * one on touches it no more.
 *
 * A shortage stops every sender, and is over when a quarter of the buffers is back. A chunk that had been read
 * before its sender was stopped still gets a buffer, so the limit may be passed by what one read delivers.
 */
export class BufferPool {
  readonly #limit: number;
  readonly #kept: number;
  readonly #relief: number;
  readonly #free: SharedArrayBuffer[] = [];
  readonly #users = new Set<BufferUser>();
  readonly #waiting: (() => void)[] = [];
  #taken = 0;
  #isShort = false;

  /**
   * @param limitBytes Infinity where something else is the limit
   * @param keptBytes of free buffers, for those who take some later; others are left to the garbage collector
   */
  constructor(limitBytes: number, keptBytes = limitBytes) {
    this.#limit = Math.max(1, Math.floor(limitBytes / BUFFER_BYTES));
    this.#kept = Math.floor(keptBytes / BUFFER_BYTES);
    this.#relief = Math.floor(this.#limit * 0.75);
  }

  get isShort(): boolean {
    return this.#isShort;
  }

  get takenBytes(): number {
    return this.#taken * BUFFER_BYTES;
  }

  join(user: BufferUser): void {
    this.#users.add(user);
  }

  leave(user: BufferUser): void {
    this.#users.delete(user);
  }

  /** Resolves when buffers may be taken: at once, or in the order of the calls after a shortage. */
  async untilRelieved(): Promise<void> {
    while (this.#isShort) await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  /** One by one, each after the one before has taken what it needs at once. */
  #wakeNext(): void {
    const wake = this.#isShort ? undefined : this.#waiting.shift();
    if (!wake) return;
    wake();
    setImmediate(() => this.#wakeNext());
  }

  take(): SharedArrayBuffer {
    this.#taken += 1;
    const buffer = this.#free.pop() ?? new SharedArrayBuffer(BUFFER_BYTES);
    if (this.#taken >= this.#limit && !this.#isShort) {
      this.#isShort = true;
      for (const user of this.#users) user.onShortage();
    }
    return buffer;
  }

  give(buffer: SharedArrayBuffer): void {
    if (this.#free.length < this.#kept) this.#free.push(buffer);
    this.forget(1);
  }

  /** Buffers that don't come back. */
  forget(count: number): void {
    this.#taken -= count;
    if (!this.#isShort || this.#taken > this.#relief) return;
    this.#isShort = false;
    for (const user of this.#users) user.onRelief();
    this.#wakeNext();
  }
}
