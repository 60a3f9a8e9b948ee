import { WorkerDied } from './ingest.ts';

/** Threads that die as they start, over and over, must not keep an append waiting. */
export const START_TIMEOUT_MS = 5_000;

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
