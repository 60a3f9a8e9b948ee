const FIRST_PAUSE_MS = 1000;
const MAX_PAUSE_MS = 300_000;
/** Whatever a receiver says. */
const MAX_RETRY_AFTER_MS = 3_600_000;

/**
 * Until the next attempt to deliver an event: twice as long each time, at random between half of that and all of it,
 * and as long as the receiver wants.
 * @param attempts how many failed, this one included
 */
export function pauseAfter(
  attempts: number,
  retryAfterMs: number | undefined,
  random: () => number = Math.random,
): number {
  const longest = Math.min(MAX_PAUSE_MS, FIRST_PAUSE_MS * 2 ** Math.min(attempts - 1, 20));
  const wanted = Math.min(retryAfterMs ?? 0, MAX_RETRY_AFTER_MS);
  return Math.max(longest * (0.5 + random() / 2), wanted);
}

/** So many failures in a row, of so many queues, are the sink's own. */
const FAILURES_TO_OPEN = 5;
const QUEUES_TO_OPEN = 3;
const FIRST_PROBE_MS = 1000;
const MAX_PROBE_MS = 5000;

/**
 * Tells a sink that is down from events that it doesn't take. While it is open, one delivery is tried from time to
 * time, however many wait.
 */
export class Breaker {
  readonly #now: () => number;
  readonly #queues = new Set<string>();
  #failures = 0;
  #nextProbeAt = 0;

  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  get isOpen(): boolean {
    return this.#failures >= FAILURES_TO_OPEN && this.#queues.size >= QUEUES_TO_OPEN;
  }

  /** Until a delivery may be tried; 0 while it is closed. */
  get waitMs(): number {
    return this.isOpen ? Math.max(0, this.#nextProbeAt - this.#now()) : 0;
  }

  failed(queue: string): void {
    this.#failures += 1;
    // As many as it takes.
    if (this.#queues.size < QUEUES_TO_OPEN) this.#queues.add(queue);
    const probes = Math.max(0, this.#failures - FAILURES_TO_OPEN);
    const longest = Math.min(MAX_PROBE_MS, FIRST_PROBE_MS * 2 ** Math.min(probes, 10));
    this.#nextProbeAt = this.#now() + longest * (0.5 + Math.random() / 2);
  }

  succeeded(): void {
    this.#failures = 0;
    this.#queues.clear();
  }
}
