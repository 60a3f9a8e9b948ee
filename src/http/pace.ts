/** How slow a client may be. */
export interface PaceRule {
  readonly minBytesPerSecond: number;
  /** So long it may be slower, or silent. */
  readonly idleTimeoutMs: number;
}

/**
 * What the kernel takes of an answer isn't with the client yet: the next sign of life may come only when most of
 * it is. Real buffers are larger on fast connections alone.
 */
const MAX_AHEAD_BYTES = 1024 * 1024;

/**
 * Watches one direction of a transfer. Slack is used up while the client is waited for, and won back by the bytes
 * it moves, each worth its time at the minimum rate: so only the client's own slowness counts, however its bytes
 * are bunched.
 */
export class Pace {
  readonly #rule: PaceRule;
  #slackMs: number;
  /** Undefined: it is not the client that is waited for. */
  #waitingSinceMs: number | undefined;

  constructor(rule: PaceRule) {
    this.#rule = rule;
    this.#slackMs = rule.idleTimeoutMs;
  }

  /** The client's turn begins. `aheadBytes`: of an answer, what the kernel took since its turn before. */
  wait(nowMs: number, aheadBytes = 0): void {
    if (this.#waitingSinceMs !== undefined) return;
    this.#waitingSinceMs = nowMs;
    this.#slackMs += this.#worthMs(Math.min(aheadBytes, MAX_AHEAD_BYTES));
  }

  /** The client's turn ends: it moved something, or has to wait for us. */
  stop(nowMs: number, movedBytes = 0): void {
    if (this.#waitingSinceMs === undefined) return;
    const left = this.#slackMs - (nowMs - this.#waitingSinceMs) + this.#worthMs(movedBytes);
    this.#slackMs = Math.min(this.#rule.idleTimeoutMs, left);
    this.#waitingSinceMs = undefined;
  }

  /** The client moved something, and goes on to be waited for if it was. */
  moved(nowMs: number, bytes: number): void {
    if (!this.isWaiting) return;
    this.stop(nowMs, bytes);
    this.wait(nowMs);
  }

  get isWaiting(): boolean {
    return this.#waitingSinceMs !== undefined;
  }

  isTooSlow(nowMs: number): boolean {
    return this.#waitingSinceMs !== undefined && nowMs - this.#waitingSinceMs > this.#slackMs;
  }

  #worthMs(bytes: number): number {
    return (bytes * 1000) / this.#rule.minBytesPerSecond;
  }
}
