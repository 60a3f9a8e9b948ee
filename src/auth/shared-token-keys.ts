import { randomBytes } from 'node:crypto';
import type { Log } from '../log.ts';
import { MetadataUnavailable } from '../meta/metadata-store.ts';
import type { TokenKeyRecord, TokenKeyRecords } from '../meta/records/token-key-records.ts';
import { IdentityUnavailable } from './identity.ts';
import type { TokenKey, TokenKeys } from './token-keys.ts';

/*
 * The life of a key, by the database's clock:
 *
 *   0       5 min                    24 h           24 h 5 min            49 h
 *   │ known │ signs                  │ the next one │ verifies what it    │ removed
 *   │       │                        │ is made      │ has signed          │
 *
 * Every instance reads the keys each minute, and so knows a key before it signs. The very first key has no
 * predecessor, and signs at once. An instance without database goes on with what it has read.
 */
const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const RELOAD_MS = MINUTE_MS;
const KNOWN_BEFORE_SIGNING_MS = 5 * MINUTE_MS;
const ROTATE_AFTER_MS = 24 * HOUR_MS;
/** Keys that were read so long ago are used no more. */
const MAX_STALE_MS = 24 * HOUR_MS;
/** No instance signs with a key any more whose successor is so old, and none of its tokens lives. */
const REMOVE_AFTER_MS = MAX_STALE_MS + HOUR_MS;
/** An unknown key id makes us look again, and whoever makes ids up can't make us do so more often. */
const MIN_BETWEEN_RELOADS_MS = 1_000;

interface Loaded {
  /** The newest first. */
  readonly keys: readonly TokenKeyRecord[];
  readonly atMs: number;
}

export interface SharedTokenKeysOptions {
  readonly records: TokenKeyRecords;
  readonly log: Log;
  /** A clock that is never set, in ms. */
  readonly elapsedMs?: () => number;
  readonly reloadMs?: number;
}

/** Keys kept in PostgreSQL, made and rotated by whichever instance finds that it is time. */
export class SharedTokenKeys implements TokenKeys {
  readonly #records: TokenKeyRecords;
  readonly #log: Log;
  readonly #elapsedMs: () => number;
  readonly #reloadMs: number;
  #loaded: Loaded | undefined;
  #loading: Promise<Loaded> | undefined;
  #failure: { readonly error: unknown; readonly atMs: number } | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: SharedTokenKeysOptions) {
    this.#records = options.records;
    this.#log = options.log;
    this.#elapsedMs = options.elapsedMs ?? (() => performance.now());
    this.#reloadMs = options.reloadMs ?? RELOAD_MS;
  }

  /** Reads the keys each minute from now on; without it no key is ever rotated. */
  start(): void {
    this.#timer ??= setInterval(() => {
      this.#reload().catch((error: unknown) => {
        this.#log.warn({ err: error }, 'the keys of registry tokens could not be read');
      });
    }, this.#reloadMs).unref();
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    this.#timer = undefined;
    await this.#loading?.catch(() => undefined);
  }

  async signingKey(): Promise<TokenKey> {
    const { keys, atMs } = this.#usable() ?? (await this.#reloadAtIntervals());
    const sinceMs = this.#elapsedMs() - atMs;
    const key = keys.find(({ ageMs }) => ageMs + sinceMs >= KNOWN_BEFORE_SIGNING_MS) ?? keys.at(-1);
    if (!key) throw new Error('a key of registry tokens was made, and is not there');
    return key;
  }

  async findKey(id: string): Promise<TokenKey | undefined> {
    const known = this.#usable()?.keys.find((key) => key.id === id);
    if (known) return known;
    const { keys } = await this.#reloadAtIntervals();
    return keys.find((key) => key.id === id);
  }

  #usable(): Loaded | undefined {
    const loaded = this.#loaded;
    return loaded && this.#elapsedMs() - loaded.atMs < MAX_STALE_MS ? loaded : undefined;
  }

  /** @returns what was read just now, by us or by whoever asked before. */
  #reloadAtIntervals(): Promise<Loaded> {
    if (this.#loading) return this.#reload();
    const isRecent = (at: { readonly atMs: number } | undefined) =>
      at !== undefined && this.#elapsedMs() - at.atMs < MIN_BETWEEN_RELOADS_MS;
    if (isRecent(this.#failure)) return Promise.reject(toUnavailable(this.#failure?.error));
    if (this.#loaded && isRecent(this.#loaded)) return Promise.resolve(this.#loaded);
    return this.#reload();
  }

  /** @throws IdentityUnavailable */
  #reload(): Promise<Loaded> {
    this.#loading ??= this.#load().finally(() => {
      this.#loading = undefined;
    });
    return this.#loading;
  }

  async #load(): Promise<Loaded> {
    try {
      const keys = await this.#readAndRotate();
      // Counted from the end: a key may seem younger than it is, never older.
      this.#loaded = { keys, atMs: this.#elapsedMs() };
      this.#failure = undefined;
      return this.#loaded;
    } catch (error) {
      this.#failure = { error, atMs: this.#elapsedMs() };
      throw toUnavailable(error);
    }
  }

  async #readAndRotate(): Promise<readonly TokenKeyRecord[]> {
    const records = this.#records;
    const keys = await records.list();
    const [newest] = keys;
    const isDue = newest === undefined || newest.ageMs >= ROTATE_AFTER_MS;
    const hasOutlived = keys.slice(0, -1).some(({ ageMs }) => ageMs >= REMOVE_AFTER_MS);
    if (!isDue && !hasOutlived) return keys;
    if (isDue) await records.addIfDue(randomBytes(32), ROTATE_AFTER_MS);
    if (hasOutlived) await records.removeOutlived(REMOVE_AFTER_MS);
    return records.list();
  }
}

/** What isn't known to mean "no database" stays what it is: a bug. */
function toUnavailable(error: unknown): unknown {
  if (!(error instanceof MetadataUnavailable)) return error;
  return new IdentityUnavailable('DATABASE_URL', 'the keys of registry tokens cannot be read', {
    cause: error,
  });
}
