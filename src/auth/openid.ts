import { errors, type JWTPayload, jwtVerify } from 'jose';
import { z } from 'zod';
import { claimOf, claimsOf } from './claims.ts';
import {
  type Identity,
  IdentityUnavailable,
  InvalidCredential,
  type TokenVerifier,
} from './identity.ts';
import { identityOf } from './openid-claims.ts';
import { type OpenIdIssuer, openIdIssuerSchema } from './openid-issuer.ts';
import { IssuerKeys } from './openid-keys.ts';

/** No HS…: a public key would be its secret. */
const ALGORITHMS = 'RS256 RS384 RS512 PS256 PS384 PS512 ES256 ES384 ES512 EdDSA Ed25519'.split(' ');

const NOT_YET = "the token isn't valid yet: a clock is wrong, here or at its issuer";
const ENDLESS = "the token doesn't say when it expires";

export interface OpenIdOptions {
  /** Names the issuer's setting, for errors. */
  readonly setting: string;
  readonly timeoutMs?: number;
  /** Milliseconds since 1970. */
  readonly now?: () => number;
}

/** One verifier for each issuer, in the order of the entries, of which an issuer may have several. */
export function openIdVerifiers(
  entries: readonly OpenIdIssuer[],
  options: OpenIdOptions,
): OpenIdVerifier[] {
  const issuers = [...new Set(entries.map(({ issuer }) => issuer))];
  return issuers.map(
    (issuer) =>
      new OpenIdVerifier(
        entries.filter((entry) => entry.issuer === issuer),
        options,
      ),
  );
}

/** Verifies the JWTs of one OpenID Connect issuer. */
export class OpenIdVerifier implements TokenVerifier {
  readonly setting: string;
  readonly #issuer: string;
  readonly #entries: readonly OpenIdIssuer[];
  readonly #now: () => number;
  readonly #keys: IssuerKeys;

  /**
   * @param entries of one issuer; the first whose audience and conditions match says what a token means
   * @throws ZodError for an entry that would let everyone in, or can't work
   */
  constructor(entries: readonly OpenIdIssuer[], { setting, timeoutMs, now }: OpenIdOptions) {
    this.#entries = z.array(openIdIssuerSchema).nonempty().parse(entries);
    const [issuer = '', ...others] = new Set(entries.map((entry) => entry.issuer));
    if (others.length > 0) throw new Error('a verifier is of one issuer');
    this.#issuer = issuer;
    this.setting = setting;
    this.#now = now ?? Date.now;
    this.#keys = new IssuerKeys({ issuer, setting, timeoutMs, now });
  }

  /** By what the token says of itself, which nobody has verified yet. */
  recognizes(token: string): boolean {
    const [, payload, signature, ...more] = token.split('.', 4);
    if (payload === undefined || signature === undefined || more.length > 0) return false;
    return issuerIn(payload) === this.#issuer;
  }

  async verify(token: string): Promise<Identity> {
    const refusals: InvalidCredential[] = [];
    for (const entry of this.#entries) {
      try {
        return await this.#verifyBy(entry, token);
      } catch (error) {
        if (!(error instanceof InvalidCredential)) throw error;
        refusals.push(error);
      }
    }
    throw summaryOf(refusals);
  }

  async #verifyBy(entry: OpenIdIssuer, token: string): Promise<Identity> {
    const claims = await this.#verified(entry, token);
    const { exp } = claims;
    if (exp === undefined) throw new InvalidCredential(ENDLESS);
    const expires = (exp + entry.clockSkewSeconds) * 1000;
    return { ...identityOf(entry, claims), expires };
  }

  /** @returns the claims of a token whose signature, issuer, audience and times are right */
  async #verified(entry: OpenIdIssuer, token: string): Promise<JWTPayload> {
    const { issuer, audience, clockSkewSeconds } = entry;
    const now = this.#now();
    try {
      const { payload } = await jwtVerify(token, (header) => this.#keys.find(header), {
        issuer,
        audience,
        algorithms: ALGORITHMS,
        clockTolerance: clockSkewSeconds,
        currentDate: new Date(now),
        requiredClaims: ['exp'],
      });
      const { iat = 0 } = payload;
      if (iat > now / 1000 + clockSkewSeconds) throw new InvalidCredential(NOT_YET);
      return payload;
    } catch (error) {
      throw this.#explain(error, audience);
    }
  }

  /** The library's errors hold the token's claims, so that they are no `cause`. */
  #explain(error: unknown, audience: string): unknown {
    if (error instanceof InvalidCredential || error instanceof IdentityUnavailable) return error;
    if (error instanceof errors.JWTExpired) return new InvalidCredential('the token has expired');
    if (error instanceof errors.JWTClaimValidationFailed) return refuseClaim(error.claim, audience);
    if (error instanceof errors.JOSEError) {
      return new InvalidCredential("the token isn't signed by a key of its issuer");
    }
    return new IdentityUnavailable(this.setting, "a key of the issuer can't be used");
  }
}

function issuerIn(payload: string): unknown {
  try {
    const claims = claimsOf(JSON.parse(Buffer.from(payload, 'base64url').toString()));
    return claims && claimOf(claims, 'iss');
  } catch {
    return undefined;
  }
}

function refuseClaim(claim: string, audience: string): InvalidCredential {
  switch (claim) {
    case 'aud':
      return new InvalidCredential(
        `the token isn't meant for this registry: its audience must be ${audience}`,
      );
    case 'nbf':
      return new InvalidCredential(NOT_YET);
    case 'exp':
      return new InvalidCredential(ENDLESS);
    default:
      return new InvalidCredential('a claim of the token has no usable value');
  }
}

/** What is wrong with a token is the same for each entry, or what it lacks for each of them. */
function summaryOf(refusals: readonly InvalidCredential[]): InvalidCredential {
  const sentences = new Set(refusals.map(({ message }) => message));
  const isForbidden = refusals.some(({ kind }) => kind === 'forbidden');
  return new InvalidCredential([...sentences].join('; or '), isForbidden ? 'forbidden' : 'invalid');
}
