import { setTimeout as delay } from 'node:timers/promises';
import type { Log } from './log.ts';

/** Pauses between two tries grow from the first to the second. */
const FIRST_PAUSE_MS = 250;
const MAX_PAUSE_MS = 5_000;
/** Who reads the log is told of the same trouble again only after this time. */
const REMINDER_MS = 30_000;

/** Something that can't be as it is: a sentence for the operator, no stack trace. */
export class StartError extends Error {
  override readonly name = 'StartError';
}

/** Somebody wants the process to end before it has started. */
export class StartAborted extends Error {
  override readonly name = 'StartAborted';
}

/** Ends what was started, in reverse order, also when a later start fails. */
export class Closers {
  readonly #closers: (() => Promise<void> | void)[] = [];

  add(closer: () => Promise<void> | void): void {
    this.#closers.push(closer);
  }

  async close(log: Log): Promise<void> {
    for (const closer of this.#closers.splice(0).toReversed()) {
      try {
        await closer();
      } catch (error) {
        log.error({ err: error }, 'a part did not end well');
      }
    }
  }
}

export interface Patience {
  readonly timeoutMs: number;
  readonly log: Log;
  /** Gives up at once. */
  readonly signal?: AbortSignal | undefined;
  /** Whether an error may go away by itself. */
  readonly mayPass: (error: unknown) => boolean;
  /** Told what is wrong, each time that something is. */
  readonly onLack: (name: string, reason: string) => void;
}

/** What a start needs may come minutes later: one time-out for all of it. */
export class StartWait {
  readonly #patience: Patience;
  readonly #endMs: number;

  constructor(patience: Patience) {
    this.#patience = patience;
    this.#endMs = Date.now() + patience.timeoutMs;
  }

  /**
   * Tries until it succeeds, or fails in a way that waiting doesn't mend.
   * @param name what the log and health call it
   * @throws StartAborted; StartError at the end of the time; what `attempt` throws
   */
  async for<T>(name: string, attempt: () => Promise<T>): Promise<T> {
    const { signal, mayPass, timeoutMs } = this.#patience;
    const told = new Reminder(this.#patience.log);
    for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(2 * pauseMs, MAX_PAUSE_MS)) {
      try {
        return await untilAborted(attempt(), signal);
      } catch (error) {
        if (!mayPass(error) || timeoutMs === 0) throw error;
        const reason = error instanceof Error ? error.message : String(error);
        const leftMs = this.#endMs - Date.now();
        if (leftMs <= 0) throw tooLate(reason, timeoutMs, error);
        this.#patience.onLack(name, reason);
        told.tell(name, reason, leftMs);
        await untilAborted(delay(Math.min(pauseMs, leftMs)), signal);
      }
    }
  }
}

/** Logs a reason when it is a new one, or was last told long ago. */
class Reminder {
  readonly #log: Log;
  #reason = '';
  #toldMs = 0;

  constructor(log: Log) {
    this.#log = log;
  }

  tell(dependency: string, reason: string, leftMs: number): void {
    if (reason === this.#reason && Date.now() - this.#toldMs < REMINDER_MS) return;
    this.#reason = reason;
    this.#toldMs = Date.now();
    const fields = { dependency, reason, secondsLeft: Math.ceil(leftMs / 1000) };
    this.#log.warn(fields, 'the start waits for what is not there yet (START_TIMEOUT)');
  }
}

function tooLate(reason: string, timeoutMs: number, cause: unknown): StartError {
  const advice = `still so after the ${timeoutMs / 1000} seconds of START_TIMEOUT`;
  return new StartError(`${reason} (${advice})`, { cause });
}

async function untilAborted<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (!signal) return promise;
  let onAbort = () => {};
  const aborted = new Promise<never>((_, reject) => {
    onAbort = () => reject(new StartAborted('the start was given up'));
    if (signal.aborted) onAbort();
    else signal.addEventListener('abort', onAbort);
  });
  // What loses the race may fail later, which nobody needs to know.
  promise.catch(() => undefined);
  return Promise.race([promise, aborted]).finally(() =>
    signal.removeEventListener('abort', onAbort),
  );
}
