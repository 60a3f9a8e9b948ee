/** Lets a limited number of jobs run at a time; the others wait in order. */
export class Semaphore {
  #free: number;
  readonly #waiting: { start(): void; refuse(error: Error): void }[] = [];

  constructor(limit: number) {
    this.#free = limit;
  }

  /** @throws what `job` throws, or what it was refused with while it waited */
  async run<T>(job: () => Promise<T>): Promise<T> {
    if (this.#free > 0) this.#free -= 1;
    else {
      await new Promise<void>((start, refuse) => this.#waiting.push({ start, refuse }));
    }
    try {
      return await job();
    } finally {
      const next = this.#waiting.shift();
      if (next) next.start();
      else this.#free += 1;
    }
  }

  /** Jobs that haven't begun never will. */
  refuseWaiting(error: Error): void {
    for (const waiting of this.#waiting.splice(0)) waiting.refuse(error);
  }
}
