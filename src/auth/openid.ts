import { errors, type JWTPayload, jwtVerify } from 'jose';
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

export interface OpenIdOptions {
  /** Names the issuer's setting, for errors. */
  readonly setting: string;
  readonly timeoutMs?: number;
  /** Milliseconds since 1970. */
  readonly now?: () => number;
}

/** Verifies the JWTs of one OpenID Connect issuer. */
export class OpenIdVerifier implements TokenVerifier {
  readonly #issuer: OpenIdIssuer;
  readonly setting: string;
  readonly #now: () => number;
  readonly #keys: IssuerKeys;

  /** @throws ZodError for an issuer that would let everyone in, or can't work */
  constructor(issuer: OpenIdIssuer, { setting, timeoutMs, now }: OpenIdOptions) {
    this.#issuer = openIdIssuerSchema.parse(issuer);
    this.setting = setting;
    this.#now = now ?? Date.now;
    this.#keys = new IssuerKeys({ issuer: issuer.issuer, setting, timeoutMs, now });
  }

  /** By what the token says of itself, which nobody has verified yet. */
  recognizes(token: string): boolean {
    const [, payload, signature, ...more] = token.split('.', 4);
    if (payload === undefined || signature === undefined || more.length > 0) return false;
    return issuerIn(payload) === this.#issuer.issuer;
  }

  async verify(token: string): Promise<Identity> {
    const claims = await this.#verified(token);
    const { exp } = claims;
    if (exp === undefined) throw new InvalidCredential("the token doesn't say when it expires");
    const expires = (exp + this.#issuer.clockSkewSeconds) * 1000;
    return { ...identityOf(this.#issuer, claims), expires };
  }

  /** @returns the claims of a token whose signature, issuer, audience and times are right */
  async #verified(token: string): Promise<JWTPayload> {
    const { issuer, audience, clockSkewSeconds } = this.#issuer;
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
      throw this.#explain(error);
    }
  }

  /** The library's errors hold the token's claims, so that they are no `cause`. */
  #explain(error: unknown): unknown {
    if (error instanceof InvalidCredential || error instanceof IdentityUnavailable) return error;
    if (error instanceof errors.JWTExpired) return new InvalidCredential('the token has expired');
    if (error instanceof errors.JWTClaimValidationFailed) return this.#refuseClaim(error.claim);
    if (error instanceof errors.JOSEError) {
      return new InvalidCredential("the token isn't signed by a key of its issuer");
    }
    return new IdentityUnavailable(this.setting, "a key of the issuer can't be used");
  }

  #refuseClaim(claim: string): InvalidCredential {
    switch (claim) {
      case 'aud':
        return new InvalidCredential(
          `the token isn't meant for this registry: its audience must be ${this.#issuer.audience}`,
        );
      case 'nbf':
        return new InvalidCredential(NOT_YET);
      case 'exp':
        return new InvalidCredential("the token doesn't say when it expires");
      default:
        return new InvalidCredential('a claim of the token has no usable value');
    }
  }
}

const NOT_YET = "the token isn't valid yet: a clock is wrong, here or at its issuer";

function issuerIn(payload: string): unknown {
  try {
    const claims = claimsOf(JSON.parse(Buffer.from(payload, 'base64url').toString()));
    return claims && claimOf(claims, 'iss');
  } catch {
    return undefined;
  }
}
