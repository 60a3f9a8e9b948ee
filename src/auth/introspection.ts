import { basicAuthorization } from '../service-request.ts';
import {
  type Claims,
  claimOf,
  claimsOf,
  millisecondsOf,
  namesOf,
  realmOf,
  scopesOf,
  textOf,
  uidOf,
} from './claims.ts';
import {
  type Identity,
  IdentityUnavailable,
  InvalidCredential,
  type TokenVerifier,
} from './identity.ts';
import { requestJson } from './json-request.ts';

export interface IntrospectionOptions {
  readonly url: string;
  readonly clientId: string;
  readonly clientSecret: string;
  /** The first one that there is names the user; unless said, `username`, else `sub`. */
  readonly uidClaims?: readonly string[] | undefined;
  readonly realmClaim?: string | undefined;
  readonly teamsClaim?: string | undefined;
  /** That a token's `aud` must name; undefined: tokens for anyone are accepted. */
  readonly audience?: string | undefined;
  /** The variable that names the URL, for errors. */
  readonly setting: string;
  readonly timeoutMs?: number;
  /** Milliseconds since 1970. */
  readonly now?: () => number;
}

const UID_CLAIMS = ['username', 'sub'];

/** Asks an authorization server what a token is (OAuth 2.0 Token Introspection, RFC 7662). */
export class IntrospectionVerifier implements TokenVerifier {
  readonly setting: string;
  readonly #options: IntrospectionOptions;
  readonly #authorization: string;

  constructor(options: IntrospectionOptions) {
    this.#options = options;
    this.setting = options.setting;
    this.#authorization = basicAuthorization(options.clientId, options.clientSecret);
  }

  /** Everything: whoever else knows a token is asked before. */
  recognizes(): boolean {
    return true;
  }

  async verify(token: string): Promise<Identity> {
    const { uidClaims = UID_CLAIMS, realmClaim, teamsClaim, now = Date.now } = this.#options;
    const claims = await this.#ask(token);
    this.#checkAudience(claims);
    const expires = millisecondsOf(claims['exp']);
    if (expires !== undefined && expires <= now()) {
      throw new InvalidCredential('the token has expired');
    }
    const named = (name: string | undefined) =>
      name === undefined ? undefined : claimOf(claims, name);
    const uidClaim = uidClaims.find((name) => textOf(claimOf(claims, name)));
    return {
      principal: { uid: uidOf(named(uidClaim)), realm: realmOf(named(realmClaim)) },
      kind: 'oauth',
      scopes: new Set(scopesOf(claims['scope'])),
      teams: teamsClaim === undefined ? undefined : new Set(namesOf(named(teamsClaim))),
      expires,
    };
  }

  /** @returns what the server says of a token that is active */
  async #ask(token: string): Promise<Claims> {
    const { url, setting, timeoutMs } = this.#options;
    const { status, body } = await requestJson(
      setting,
      new URL(url),
      {
        method: 'POST',
        headers: { accept: 'application/json', authorization: this.#authorization },
        body: new URLSearchParams({ token }),
      },
      timeoutMs,
    );
    // An unknown token is no error there (RFC 7662, section 2.2): these are about the registry's own request.
    if (status === 401 || status === 403) {
      throw new IdentityUnavailable(
        setting,
        `it refuses the registry's own client id and secret (status ${status})`,
      );
    }
    if (status >= 400) throw new IdentityUnavailable(setting, `it answers with status ${status}`);
    const claims = claimsOf(body);
    if (!claims) throw new IdentityUnavailable(setting, 'its answer is no JSON object');
    if (claims['active'] !== true) {
      throw new InvalidCredential('the token is unknown, expired or revoked');
    }
    return claims;
  }

  #checkAudience(claims: Claims): void {
    const { audience } = this.#options;
    if (audience === undefined) return;
    const { aud } = claims;
    if (aud === audience || (Array.isArray(aud) && aud.includes(audience))) return;
    throw new InvalidCredential(
      `the token isn't meant for this registry: its audience must be ${audience}`,
    );
  }
}
