import { LRUCache } from 'lru-cache';
import { ConcurrencyLimit, NoRoom } from './concurrency-limit.ts';
import {
  type Identity,
  IdentityUnavailable,
  InvalidCredential,
  type TokenVerifier,
} from './identity.ts';
import { keyOf } from './token-key.ts';

export interface TokenCheckOptions {
  /** A revoked token goes on for as long; it never outlives its own end. */
  readonly maxAgeMs?: number;
  /** A token that was refused is refused for as long without asking again. */
  readonly maxRefusedAgeMs?: number;
  /** Of each kind: identities, and refusals. */
  readonly maxEntries?: number;
  /** About the memory of all identities. */
  readonly maxBytes?: number;
  /** Checks of one verifier at the same time, and those that wait for it: others aren't held up. */
  readonly maxRunning?: number;
  readonly maxWaiting?: number;
  /** Milliseconds since 1970. */
  readonly now?: () => number;
}

interface Known {
  readonly identity: Identity;
  readonly until: number;
}

interface Refused {
  readonly message: string;
  readonly kind: InvalidCredential['kind'];
  readonly until: number;
}

const DEFAULTS = {
  maxAgeMs: 120_000,
  maxRefusedAgeMs: 10_000,
  maxEntries: 10_000,
  maxBytes: 32 * 1024 * 1024,
  maxRunning: 64,
  maxWaiting: 256,
  now: Date.now,
};
/** A dependency is asked for 5 s at most, so that nobody waits much longer than for two answers. */
const MAX_WAIT_MS = 5000;

/** Says whom a token stands for: remembers answers for a short time, and lets those who ask the same share one check. */
export class TokenCheck {
  readonly #options: Required<TokenCheckOptions>;
  readonly #verifiers: readonly {
    readonly verifier: TokenVerifier;
    readonly limit: ConcurrencyLimit;
  }[];
  /** By the token's hash, as are the others. Refusals are apart, so that they push out no identity. */
  readonly #known: LRUCache<string, Known>;
  readonly #refused: LRUCache<string, Refused>;
  readonly #running = new Map<string, Promise<Identity>>();

  /** @param verifiers the first one that recognizes a token checks it */
  constructor(verifiers: readonly TokenVerifier[], options: TokenCheckOptions = {}) {
    this.#options = { ...DEFAULTS, ...options };
    const { maxEntries, maxBytes, maxRunning, maxWaiting, now } = this.#options;
    this.#verifiers = verifiers.map((verifier) => ({
      verifier,
      limit: new ConcurrencyLimit({ maxRunning, maxWaiting, maxWaitMs: MAX_WAIT_MS }, now),
    }));
    this.#known = new LRUCache({ max: maxEntries, maxSize: maxBytes, sizeCalculation: sizeOf });
    this.#refused = new LRUCache({ max: maxEntries });
  }

  /** Entries in memory, of each kind. */
  get size(): { readonly known: number; readonly refused: number; readonly running: number } {
    return {
      known: this.#known.size,
      refused: this.#refused.size,
      running: this.#running.size,
    };
  }

  /** What is known without asking anybody. */
  cached(token: string): Identity | undefined {
    return this.#find(keyOf(token));
  }

  /** @throws InvalidCredential; IdentityUnavailable when it can't be known now */
  async check(token: string): Promise<Identity> {
    const key = keyOf(token);
    const known = this.#find(key);
    if (known) return known;
    const refused = this.#refused.get(key);
    if (refused && this.#options.now() < refused.until) {
      throw new InvalidCredential(refused.message, refused.kind);
    }
    return this.#running.get(key) ?? this.#start(key, token);
  }

  #find(key: string): Identity | undefined {
    const known = this.#known.get(key);
    if (!known) return undefined;
    if (this.#options.now() < known.until) return known.identity;
    this.#known.delete(key);
    return undefined;
  }

  #start(key: string, token: string): Promise<Identity> {
    const asked = this.#options.now();
    const running = this.#verify(token)
      .then(
        (identity) => this.#remember(key, identity, asked),
        (error: unknown) => this.#rememberRefusal(key, error),
      )
      .finally(() => this.#running.delete(key));
    this.#running.set(key, running);
    return running;
  }

  async #verify(token: string): Promise<Identity> {
    const found = this.#verifiers.find(({ verifier }) => verifier.recognizes(token));
    if (!found) throw new InvalidCredential('the token comes from nobody that this registry knows');
    const { verifier, limit } = found;
    const identity = await limit
      .run(() => verifier.verify(token))
      .catch((error: unknown) => {
        if (!(error instanceof NoRoom)) throw error;
        throw new IdentityUnavailable(verifier.setting, 'too many tokens are being checked');
      });
    if (identity.expires !== undefined && identity.expires <= this.#options.now()) {
      throw new InvalidCredential('the token has expired');
    }
    return identity;
  }

  #remember(key: string, identity: Identity, asked: number): Identity {
    const { maxAgeMs } = this.#options;
    const until = Math.min(asked + maxAgeMs, identity.expires ?? Number.POSITIVE_INFINITY);
    this.#known.set(key, { identity, until });
    return identity;
  }

  #rememberRefusal(key: string, error: unknown): never {
    if (error instanceof InvalidCredential) {
      const { message, kind } = error;
      this.#refused.set(key, {
        message,
        kind,
        until: this.#options.now() + this.#options.maxRefusedAgeMs,
      });
    }
    throw error;
  }
}

/** About the bytes that an entry takes: what surrounds each text counts too. */
function sizeOf({ identity: { principal, scopes, teams = new Set<string>() } }: Known): number {
  const { uid, realm = '', issuer = '', claims = {} } = principal;
  const texts = [uid, realm, issuer, ...Object.values(claims), ...scopes, ...teams];
  return texts.reduce((sum, text) => sum + 2 * text.length + 64, 512);
}
