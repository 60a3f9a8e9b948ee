export interface ConcurrencyLimits {
  readonly maxRunning: number;
  readonly maxWaiting: number;
  /** One that has waited longer is refused as soon as another one ends. */
  readonly maxWaitMs: number;
}

interface Waiting {
  readonly since: number;
  readonly start: () => void;
  readonly refuse: (error: Error) => void;
}

/** There is no room, or there was none for too long. */
export class NoRoom extends Error {
  override readonly name = 'NoRoom';
}

/** Runs so many jobs at once; a bounded number waits for its turn, in the order of asking, for a bounded time. */
export class ConcurrencyLimit {
  readonly #limits: ConcurrencyLimits;
  readonly #now: () => number;
  readonly #waiting: Waiting[] = [];
  #running = 0;

  constructor(limits: ConcurrencyLimits, now: () => number = Date.now) {
    this.#limits = limits;
    this.#now = now;
  }

  /** @throws NoRoom */
  async run<T>(job: () => Promise<T>): Promise<T> {
    if (this.#running >= this.#limits.maxRunning) await this.#turn();
    else this.#running += 1;
    try {
      return await job();
    } finally {
      this.#end();
    }
  }

  #turn(): Promise<void> {
    if (this.#waiting.length >= this.#limits.maxWaiting) {
      throw new NoRoom('too many are waiting');
    }
    return new Promise((start, refuse) => {
      this.#waiting.push({ since: this.#now(), start, refuse });
    });
  }

  /** Gives the place to the first that hasn't waited too long. */
  #end(): void {
    const tooOld = this.#now() - this.#limits.maxWaitMs;
    let next = this.#waiting.shift();
    while (next && next.since < tooOld) {
      next.refuse(new NoRoom('waited too long'));
      next = this.#waiting.shift();
    }
    if (next) next.start();
    else this.#running -= 1;
  }
}
