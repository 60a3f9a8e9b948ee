import type { Worker } from 'node:worker_threads';
import { waitUntil } from './wait-until.ts';

/** The ingest threads of this process, from now on. */
export class RunningThreads {
  readonly #all = new Set<Worker>();
  readonly #loaded = new Set<Worker>();

  constructor() {
    process.on('worker', (thread) => {
      this.#all.add(thread);
      thread.on('message', (message: unknown) => {
        if (isLoaded(message)) this.#loaded.add(thread);
      });
      thread.once('exit', () => {
        this.#all.delete(thread);
        this.#loaded.delete(thread);
      });
    });
  }

  /** Resolves when there are some, and all have loaded their code: Node.js 20 dies with one that is ended before. */
  async loaded(): Promise<void> {
    await waitUntil('threads that have loaded', () => {
      return this.#all.size > 0 && this.#loaded.size === this.#all.size;
    });
  }

  /** As if they had died, all at once. */
  async end(): Promise<void> {
    await this.loaded();
    await Promise.all([...this.#all].map((thread) => thread.terminate()));
  }
}

function isLoaded(message: unknown): boolean {
  return (
    typeof message === 'object' &&
    message !== null &&
    'kind' in message &&
    message.kind === 'loaded'
  );
}
