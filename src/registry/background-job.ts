import type { Log } from '../log.ts';

export interface BackgroundJobOptions {
  /** Until the first run, and from the end of each to the next. */
  readonly firstMs: number;
  readonly intervalMs: number;
  readonly log: Log;
  /** Logged with the error of a run that failed. */
  readonly failure: string;
}

/** Work that is done again and again, one run after the other; a run that fails is logged, and the next one comes. */
export class BackgroundJob {
  readonly #options: BackgroundJobOptions;
  readonly #run: () => Promise<void>;
  #timer: NodeJS.Timeout | undefined;
  #running: Promise<void> = Promise.resolve();
  #isRunning = false;
  #isWoken = false;

  constructor(options: BackgroundJobOptions, run: () => Promise<void>) {
    this.#options = options;
    this.#run = run;
  }

  start(): void {
    this.#schedule(this.#options.firstMs);
  }

  /** A run begins at once, or right after the one under way. */
  wake(): void {
    if (!this.#timer) return;
    this.#isWoken = true;
    if (this.#isRunning) return;
    clearTimeout(this.#timer);
    this.#schedule(0);
  }

  /** No run begins any more. Resolves when the one under way has ended: telling it to is the caller's part. */
  async stop(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    await this.#running;
  }

  #schedule(afterMs: number): void {
    this.#timer = setTimeout(() => {
      this.#running = this.#runOnce();
    }, afterMs);
    this.#timer.unref();
  }

  async #runOnce(): Promise<void> {
    const { log, failure, intervalMs } = this.#options;
    this.#isRunning = true;
    this.#isWoken = false;
    try {
      await this.#run();
    } catch (error) {
      log.error({ err: error }, failure);
    }
    this.#isRunning = false;
    if (this.#timer) this.#schedule(this.#isWoken ? 0 : intervalMs);
  }
}
