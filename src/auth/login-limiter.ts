import { isIPv6 } from 'node:net';
import { LRUCache } from 'lru-cache';
import { keyOf } from './token-key.ts';

export interface LoginLimiterOptions {
  /** Failures of one credential from one source in a window. */
  readonly maxFailures?: number;
  /** Different credentials from one source that failed in a window. */
  readonly maxBadCredentials?: number;
  readonly windowMs?: number;
  /** So long after it was valid, a credential doesn't suffer from others of its source. */
  readonly trustMs?: number;
  /** Sources, and pairs of source and credential, that are remembered. */
  readonly maxEntries?: number;
  /** Milliseconds since any time. */
  readonly now?: () => number;
}

/** What failed since a time, until the window ends. */
interface Count {
  readonly since: number;
  failures: number;
}

const DEFAULTS = {
  maxFailures: 10,
  maxBadCredentials: 100,
  windowMs: 60_000,
  trustMs: 60 * 60_000,
  maxEntries: 20_000,
  now: Date.now,
};

/**
 * Slows down who tries credentials. Many machines can share an address, so a bad credential ends alone; only very many
 * different ones end logins from their source, and then not those that were valid from there.
 */
export class LoginLimiter {
  readonly #options: Required<LoginLimiterOptions>;
  readonly #credentials: LRUCache<string, Count>;
  readonly #sources: LRUCache<string, Count>;
  /** When a pair was valid. */
  readonly #valid: LRUCache<string, number>;

  constructor(options: LoginLimiterOptions = {}) {
    this.#options = { ...DEFAULTS, ...options };
    const { maxEntries: max } = this.#options;
    this.#credentials = new LRUCache({ max });
    this.#sources = new LRUCache({ max });
    this.#valid = new LRUCache({ max });
  }

  /** Entries in memory. */
  get size(): number {
    return this.#credentials.size + this.#sources.size + this.#valid.size;
  }

  /**
   * Ask before a credential is checked.
   * @param source the client's address
   * @returns undefined when it may be checked
   */
  retryAfterMs(source: string, credential: string): number | undefined {
    const network = networkOf(source);
    const { maxFailures, maxBadCredentials } = this.#options;
    const pair = keyOf(network, credential);
    const own = this.#left(this.#credentials, pair, maxFailures);
    if (own !== undefined || this.#wasValid(pair)) return own;
    return this.#left(this.#sources, network, maxBadCredentials);
  }

  /** The credential was checked, and stands for nobody. @returns whether that is its first time in the window */
  failed(source: string, credential: string): boolean {
    const network = networkOf(source);
    const isNew = this.#count(this.#credentials, keyOf(network, credential)) === 1;
    if (isNew) this.#count(this.#sources, network);
    return isNew;
  }

  succeeded(source: string, credential: string): void {
    const pair = keyOf(networkOf(source), credential);
    this.#credentials.delete(pair);
    this.#valid.set(pair, this.#options.now());
  }

  #wasValid(pair: string): boolean {
    const at = this.#valid.get(pair);
    return at !== undefined && this.#options.now() - at < this.#options.trustMs;
  }

  #left(counts: LRUCache<string, Count>, key: string, max: number): number | undefined {
    const count = this.#current(counts, key);
    if (!count || count.failures < max) return undefined;
    return count.since + this.#options.windowMs - this.#options.now();
  }

  #count(counts: LRUCache<string, Count>, key: string): number {
    const count = this.#current(counts, key) ?? { since: this.#options.now(), failures: 0 };
    count.failures += 1;
    counts.set(key, count);
    return count.failures;
  }

  #current(counts: LRUCache<string, Count>, key: string): Count | undefined {
    const count = counts.get(key);
    const isOver = count && this.#options.now() - count.since >= this.#options.windowMs;
    return isOver ? undefined : count;
  }
}

/** One customer has a /64 of IPv6, and all addresses in it. */
function networkOf(source: string): string {
  if (!isIPv6(source)) return source;
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(source);
  if (mapped?.[1]) return mapped[1];
  const [head = '', tail] = source.replace(/%.*$/, '').split('::');
  const groups = head === '' ? [] : head.split(':');
  const after = tail ? tail.split(':').length : 0;
  const gap = tail === undefined ? 0 : Math.max(0, 8 - groups.length - after);
  const all = [...groups, ...Array<string>(gap).fill('0'), ...(tail ? tail.split(':') : [])];
  return all
    .slice(0, 4)
    .map((group) => Number.parseInt(group, 16).toString(16))
    .join(':');
}
