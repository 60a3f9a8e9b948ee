import { LRUCache } from 'lru-cache';

export interface SharedLookupOptions<T> {
  /** Above it the entries that were not used for longest go. */
  readonly maxEntries: number;
  /** How long an answer may be used, in ms from when it was asked for; 0 or less: by those alone who wait for it. */
  lifetimeMs(answer: T): number;
  /** A clock in ms that never goes back. */
  readonly now?: () => number;
}

interface Entry<T> {
  readonly answer: T;
  readonly endsAt: number;
}

/**
 * Remembers answers of a dependency for as long as each of them may be used. Those who ask for one key at the same time
 * share a lookup. A lookup that fails fails for those who wait for it, and is not remembered; an answer that has ended
 * is never used again, whatever comes after it. An answer that refuses is an answer: make it a value of T.
 */
export class SharedLookup<T> {
  readonly #options: SharedLookupOptions<T>;
  readonly #now: () => number;
  readonly #entries: LRUCache<string, Entry<T>>;
  readonly #running = new Map<string, Promise<T>>();

  constructor(options: SharedLookupOptions<T>) {
    this.#options = options;
    this.#now = options.now ?? (() => performance.now());
    this.#entries = new LRUCache({ max: options.maxEntries });
  }

  /** @param key holds no secret: it is kept (of a token, its digest) */
  async get(key: string, look: () => Promise<T>): Promise<T> {
    const entry = this.#entries.get(key);
    if (entry && this.#now() < entry.endsAt) return entry.answer;
    const running = this.#running.get(key);
    if (running) return running;
    const started = this.#look(key, look);
    this.#running.set(key, started);
    return started;
  }

  async #look(key: string, look: () => Promise<T>): Promise<T> {
    const askedAt = this.#now();
    this.#entries.delete(key);
    // Not before the caller has put it among those that run.
    await Promise.resolve();
    try {
      const answer = await look();
      const endsAt = askedAt + this.#options.lifetimeMs(answer);
      if (this.#now() < endsAt) this.#entries.set(key, { answer, endsAt });
      return answer;
    } finally {
      this.#running.delete(key);
    }
  }
}
