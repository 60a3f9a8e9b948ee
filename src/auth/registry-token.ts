import { randomUUID } from 'node:crypto';
import { decodeJwt, errors, jwtVerify, SignJWT } from 'jose';
import { LRUCache } from 'lru-cache';
import { type Identity, InvalidCredential } from './identity.ts';
import {
  bearerClaims,
  type Grant,
  type Refusal,
  type RegistryTokenContent,
  readClaims,
} from './token-claims.ts';
import { keyOf } from './token-key.ts';
import type { TokenKeys } from './token-keys.ts';

const LIFETIME_SECONDS = 300;
/** Clients take a shorter lifetime for this one (distribution's token specification, expires_in). */
const MIN_LIFETIME_SECONDS = 60;
/** By so much the clocks of two instances may differ. */
const CLOCK_TOLERANCE_SECONDS = 30;
const ALGORITHM = 'HS256';
/** Ours alone (RFC 8725, section 3.11). */
const TYPE = 'pierone-registry+jwt';
const HEAD = { alg: ALGORITHM, typ: TYPE };
/** What each of our tokens begins with; what other tokens don't, so that nothing needs to be computed of them. */
const BEGIN = beginOf(JSON.stringify(HEAD).slice(0, -1));
/** Of each JWT whose head has no spaces, as ours have none. */
const JWT_BEGIN = 'eyJ';

/** A head has at most 16 KiB, and a token is written in base64: 4 KiB are 5.5. */
const MAX_CLAIMS_BYTES = 4 * 1024;
const MAX_REFUSALS_BYTES = 1024;
const MAX_REASON_LENGTH = 200;
const MAX_CACHED = 5_000;

export interface IssuedToken {
  readonly token: string;
  readonly expiresInSeconds: number;
  readonly issuedAt: Date;
}

export interface RegistryTokensOptions {
  readonly keys: TokenKeys;
  /** Two registries never accept each other's tokens. */
  readonly registryId: string;
  /** The token's audience, which challenges name as service. */
  readonly service: string;
  /** In ms since 1970. */
  readonly now?: () => number;
}

/** Makes and checks the short-lived tokens that /token gives. */
export class RegistryTokens {
  readonly #keys: TokenKeys;
  readonly #issuer: string;
  readonly #service: string;
  readonly #now: () => number;
  /** By the SHA-256 of the token, so that no token stays in memory. */
  readonly #verified = new LRUCache<string, RegistryTokenContent>({ max: MAX_CACHED });

  constructor({ keys, registryId, service, now = Date.now }: RegistryTokensOptions) {
    this.#keys = keys;
    this.#issuer = `pierone:${registryId}`;
    this.#service = service;
    this.#now = now;
  }

  /**
   * What doesn't fit is left out: first reasons, then the last of `access`.
   * @throws IdentityUnavailable when there is no key; InvalidCredential for a principal that fits in no token
   */
  async issue(
    subject: Identity | 'anonymous',
    access: readonly Grant[],
    refused: readonly Refusal[],
  ): Promise<IssuedToken> {
    const key = await this.#keys.signingKey();
    const issuedSeconds = Math.floor(this.#now() / 1000);
    const expiresInSeconds = this.#lifetimeOf(subject);
    const token = await new SignJWT(fit(bearerClaims(subject), access, refused))
      .setProtectedHeader({ ...HEAD, kid: key.id })
      .setIssuer(this.#issuer)
      .setAudience(this.#service)
      .setIssuedAt(issuedSeconds)
      .setNotBefore(issuedSeconds)
      .setExpirationTime(issuedSeconds + expiresInSeconds)
      .setJti(randomUUID())
      .sign(key.secret);
    return { token, expiresInSeconds, issuedAt: new Date(issuedSeconds * 1000) };
  }

  /** Whether the token says that it is of this registry, which anybody can write. */
  recognizes(token: string): boolean {
    if (!token.startsWith(JWT_BEGIN)) return false;
    try {
      return decodeJwt(token).iss === this.#issuer;
    } catch {
      return false;
    }
  }

  /** @throws InvalidCredential; IdentityUnavailable when the keys can't be read */
  async verify(token: string): Promise<RegistryTokenContent> {
    const known = this.cached(token);
    if (known) return known;
    const content = readClaims(await this.#readPayload(token));
    if (!content) throw new InvalidCredential('the registry token is malformed: log in again');
    this.#verified.set(keyOf(token), content);
    return content;
  }

  /** What a token says that was verified before and still is valid. */
  cached(token: string): RegistryTokenContent | undefined {
    if (!token.startsWith(BEGIN)) return undefined;
    const key = keyOf(token);
    const content = this.#verified.get(key);
    if (!content || this.#now() < content.expires + CLOCK_TOLERANCE_SECONDS * 1000) return content;
    this.#verified.delete(key);
    return undefined;
  }

  /** A token doesn't outlive the credential that it was given for, but for what clients take for granted. */
  #lifetimeOf(subject: Identity | 'anonymous'): number {
    const expires = subject === 'anonymous' ? undefined : subject.expires;
    if (expires === undefined) return LIFETIME_SECONDS;
    const remaining = Math.floor((expires - this.#now()) / 1000);
    return Math.max(MIN_LIFETIME_SECONDS, Math.min(LIFETIME_SECONDS, remaining));
  }

  async #readPayload(token: string): Promise<unknown> {
    const options = {
      algorithms: [ALGORITHM],
      typ: TYPE,
      issuer: this.#issuer,
      audience: this.#service,
      clockTolerance: CLOCK_TOLERANCE_SECONDS,
      currentDate: new Date(this.#now()),
      requiredClaims: ['sub', 'iat', 'nbf', 'exp', 'jti'],
    };
    try {
      const { payload } = await jwtVerify(
        token,
        (header: { kid?: string }) => this.#findSecret(header.kid),
        options,
      );
      return payload;
    } catch (error) {
      if (error instanceof errors.JWTExpired) {
        throw new InvalidCredential('the registry token has expired: ask for a new one');
      }
      if (error instanceof errors.JOSEError) {
        throw new InvalidCredential('the registry token is not valid here: log in again');
      }
      throw error;
    }
  }

  async #findSecret(id: string | undefined): Promise<Uint8Array> {
    const key = id === undefined ? undefined : await this.#keys.findKey(id);
    if (key) return key.secret;
    throw new InvalidCredential('the registry token is of a key that is unknown: log in again');
  }
}

/** In base64, as far as it doesn't depend on what follows. */
function beginOf(text: string): string {
  const whole = text.length - (text.length % 3);
  return Buffer.from(text.slice(0, whole)).toString('base64url');
}

function fit(
  bearer: ReturnType<typeof bearerClaims>,
  access: readonly Grant[],
  refused: readonly Refusal[],
) {
  const room = MAX_CLAIMS_BYTES - sizeOf(bearer);
  if (room < MAX_REFUSALS_BYTES) {
    throw new InvalidCredential(
      'what this credential says of its bearer is too long for a registry token: use one with fewer claims',
      'forbidden',
    );
  }
  const granted = takeWhileFits(access, room);
  const reasons = refused.map((refusal) => ({
    ...refusal,
    reason: shorten(refusal.reason),
  }));
  const reasonsRoom = Math.min(MAX_REFUSALS_BYTES, room - sizeOf(granted));
  return { ...bearer, access: granted, refused: takeWhileFits(reasons, reasonsRoom) };
}

function takeWhileFits<T>(entries: readonly T[], maxBytes: number): T[] {
  let bytes = 2; // The brackets.
  const end = entries.findIndex((entry) => {
    bytes += sizeOf(entry) + 1;
    return bytes > maxBytes;
  });
  return entries.slice(0, end === -1 ? undefined : end);
}

function sizeOf(value: unknown): number {
  return Buffer.byteLength(JSON.stringify(value));
}

function shorten(reason: string): string {
  const characters = Array.from(reason);
  if (characters.length <= MAX_REASON_LENGTH) return reason;
  return `${characters.slice(0, MAX_REASON_LENGTH - 1).join('')}…`;
}
