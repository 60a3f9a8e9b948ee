import { setTimeout as delay } from 'node:timers/promises';
import type { Worker } from 'node:worker_threads';
import { WorkerDied } from './ingest.ts';

/** Threads that die as they start, over and over, must not keep an append waiting. */
export const START_TIMEOUT_MS = 5_000;
const LOAD_CHECK_MS = 5;

/**
 * Waits for a task that says nothing before its end.
 * @param ping resolves when a thread answers
 * @throws WorkerDied when the task takes long, and no thread lives that could do it
 */
export async function whileAlive<T>(task: Promise<T>, ping: () => Promise<void>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const dead = new Promise<never>((_, reject) => {
    const giveUp = () => reject(noThread());
    timer = setTimeout(() => {
      timer = setTimeout(giveUp, START_TIMEOUT_MS / 2);
      ping().then(() => clearTimeout(timer), giveUp);
    }, START_TIMEOUT_MS / 2);
  });
  try {
    return await Promise.race([task, dead]);
  } finally {
    clearTimeout(timer);
  }
}

export function noThread(): WorkerDied {
  return new WorkerDied('no worker thread started');
}

/** The threads of a pool that have loaded their code. The others must not be ended: Node.js 20 would die with them. */
export class LoadedThreads {
  readonly #pool: { readonly threads: readonly Worker[] };
  readonly #loaded = new WeakSet<Worker>();

  constructor(pool: { readonly threads: readonly Worker[] }) {
    this.#pool = pool;
  }

  add(threadId: number): void {
    const thread = this.#pool.threads.find((candidate) => candidate.threadId === threadId);
    if (thread) this.#loaded.add(thread);
  }

  /** Resolves when all are loaded, those too that are there for others that died; or when that takes too long. */
  async all(): Promise<void> {
    const deadlineMs = performance.now() + START_TIMEOUT_MS;
    while (this.#pool.threads.some((thread) => !this.#loaded.has(thread))) {
      if (performance.now() > deadlineMs) return;
      await delay(LOAD_CHECK_MS);
    }
  }
}
