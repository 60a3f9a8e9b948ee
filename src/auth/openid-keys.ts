import {
  type CryptoKey,
  createLocalJWKSet,
  errors,
  type JWK,
  type JWSHeaderParameters,
  type LocalJWKSet,
} from 'jose';
import { z } from 'zod';
import { IdentityUnavailable } from './identity.ts';
import { requestJson } from './json-request.ts';

/** Keys are looked up again after this time, so that one that was withdrawn ends. */
const MAX_AGE_MS = 10 * 60_000;
/** Keys stay in use for this long while the issuer can't be asked. */
const MAX_STALE_MS = 24 * 60 * 60_000;
/** Between two look-ups because a key is unknown, and after one that failed. */
const PAUSE_MS = 30_000;
/** For discovery and keys together. */
const TIMEOUT_MS = 5000;
const MAX_KEYS = 200;

const discoverySchema = z.object({ issuer: z.string(), jwks_uri: z.string() });
const keySetSchema = z.object({ keys: z.array(z.looseObject({ kty: z.string() })).max(MAX_KEYS) });

interface KeySet {
  readonly find: LocalJWKSet;
  readonly fetchedAt: number;
}

export interface IssuerKeysOptions {
  readonly issuer: string;
  /** Names the issuer's setting, for errors. */
  readonly setting: string;
  readonly timeoutMs?: number | undefined;
  /** Milliseconds since 1970. */
  readonly now?: (() => number) | undefined;
}

/** The public keys of an issuer, by its discovery document (OpenID Connect Discovery 1.0, section 4). */
export class IssuerKeys {
  readonly #options: IssuerKeysOptions;
  readonly #now: () => number;
  #keys: KeySet | undefined;
  #refreshing: Promise<KeySet> | undefined;
  /** The last look-up's, if it failed. */
  #failure: { readonly error: unknown; readonly at: number } | undefined;
  #unknownKeyAt = Number.NEGATIVE_INFINITY;

  constructor(options: IssuerKeysOptions) {
    this.#options = options;
    this.#now = options.now ?? Date.now;
  }

  /**
   * The key that a token's header names. One that isn't known is looked up again, now and then.
   * @throws JOSEError when there is none; IdentityUnavailable when that can't be known
   */
  async find(header: JWSHeaderParameters): Promise<CryptoKey> {
    const keys = await this.#current();
    try {
      return await keys.find(header);
    } catch (error) {
      if (!(error instanceof errors.JWKSNoMatchingKey)) throw error;
    }
    const newer = await this.#newerThan(keys);
    return newer.find(header);
  }

  /** Whether there are keys. @throws IdentityUnavailable that says why not */
  async check(): Promise<void> {
    await this.#current();
  }

  async #current(): Promise<KeySet> {
    const keys = this.#keys;
    const age = keys ? this.#now() - keys.fetchedAt : Number.POSITIVE_INFINITY;
    if (!keys || age >= MAX_STALE_MS) return this.#refresh();
    if (age < MAX_AGE_MS || this.#failedLately()) return keys;
    return this.#refresh().catch(() => keys);
  }

  async #newerThan(keys: KeySet): Promise<KeySet> {
    if (this.#keys !== undefined && this.#keys !== keys) return this.#keys;
    if (this.#refreshing) return this.#refreshing;
    if (this.#failure && this.#failedLately()) throw this.#failure.error;
    if (this.#now() - this.#unknownKeyAt < PAUSE_MS) return keys;
    this.#unknownKeyAt = this.#now();
    return this.#refresh();
  }

  #failedLately(): boolean {
    return this.#failure !== undefined && this.#now() - this.#failure.at < PAUSE_MS;
  }

  #refresh(): Promise<KeySet> {
    this.#refreshing ??= this.#fetch()
      .then(
        (keys) => {
          this.#failure = undefined;
          this.#keys = keys;
          return keys;
        },
        (error: unknown) => {
          this.#failure = { error, at: this.#now() };
          throw error;
        },
      )
      .finally(() => {
        this.#refreshing = undefined;
      });
    return this.#refreshing;
  }

  async #fetch(): Promise<KeySet> {
    const { issuer, timeoutMs = TIMEOUT_MS } = this.#options;
    const fetchedAt = this.#now();
    const started = performance.now();
    const discovery = new URL(`${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`);
    const found = discoverySchema.safeParse(await this.#get(discovery, timeoutMs));
    if (!found.success) throw this.#unusable('its discovery document names no issuer and jwks_uri');
    if (found.data.issuer !== issuer) {
      throw this.#unusable('its discovery document names another issuer');
    }
    const keysUrl = keysUrlOf(issuer, found.data.jwks_uri);
    if (!keysUrl) throw this.#unusable('the jwks_uri of its discovery document is no https URL');
    const left = Math.max(1, Math.round(timeoutMs - (performance.now() - started)));
    const keys = keySetSchema.safeParse(await this.#get(keysUrl, left));
    if (!keys.success) throw this.#unusable('its answer to jwks_uri is no key set');
    const usable = keys.data.keys.filter((key): key is JWK & { kty: string } => key.kty !== 'oct');
    if (usable.length === 0) throw this.#unusable('its key set has no public key');
    return { find: this.#open(usable), fetchedAt };
  }

  #open(keys: JWK[]): LocalJWKSet {
    try {
      return createLocalJWKSet({ keys });
    } catch {
      throw this.#unusable('its answer to jwks_uri is no key set');
    }
  }

  async #get(url: URL, timeoutMs: number): Promise<unknown> {
    const { setting } = this.#options;
    const headers = { accept: 'application/json' };
    const { status, body } = await requestJson(setting, url, { headers }, timeoutMs);
    if (status !== 200) {
      throw this.#unusable(`${url.pathname} answers with status ${status}`);
    }
    return body;
  }

  #unusable(problem: string): IdentityUnavailable {
    return new IdentityUnavailable(this.#options.setting, problem);
  }
}

/** @returns undefined where someone on the way could put in keys of his own, though the issuer is safe from that */
export function keysUrlOf(issuer: string, text: string): URL | undefined {
  const schemes = issuer.startsWith('http:') ? ['http:', 'https:'] : ['https:'];
  if (!URL.canParse(text)) return undefined;
  const url = new URL(text);
  return schemes.includes(url.protocol) ? url : undefined;
}
