import { LRUCache } from 'lru-cache';
import type { Principal } from '../oci/principal.ts';

const WINDOW_MS = 60_000;
/** Different refused pushes of one principal in a window; repeated ones are counted in one row, and cost none. */
const MAX_REFUSALS = 100;
const MAX_PRINCIPALS = 10_000;

export interface RefusalLimiterOptions {
  readonly maxRefusals?: number;
  readonly now?: () => number;
}

interface Window {
  readonly since: number;
  readonly refusals: Set<string>;
}

/** Bounds what one principal can write into the audit trail by pushing where it may not. */
export class RefusalLimiter {
  readonly #windows = new LRUCache<string, Window>({ max: MAX_PRINCIPALS });
  readonly #maxRefusals: number;
  readonly #now: () => number;

  constructor({
    maxRefusals = MAX_REFUSALS,
    now = () => performance.now(),
  }: RefusalLimiterOptions = {}) {
    this.#maxRefusals = maxRefusals;
    this.#now = now;
  }

  /**
   * Counts a refused push.
   * @param what is the same for repeated ones
   * @returns ms until the principal may go on; undefined: it may now
   */
  count({ uid, issuer }: Principal, what: string): number | undefined {
    const key = JSON.stringify([uid, issuer]);
    const now = this.#now();
    let window = this.#windows.get(key);
    if (!window || now >= window.since + WINDOW_MS) {
      window = { since: now, refusals: new Set() };
      this.#windows.set(key, window);
    }
    if (window.refusals.has(what)) return undefined;
    if (window.refusals.size >= this.#maxRefusals) return window.since + WINDOW_MS - now;
    window.refusals.add(what);
    return undefined;
  }
}
