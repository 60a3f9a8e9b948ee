import {
  type Claims,
  claimOf,
  claimsOf,
  millisecondsOf,
  realmOf,
  scopesOf,
  uidOf,
} from './claims.ts';
import {
  type Identity,
  IdentityUnavailable,
  InvalidCredential,
  type TokenVerifier,
} from './identity.ts';
import { requestJson } from './json-request.ts';

export interface TokeninfoOptions {
  /** Is given the token as `access_token`, beside the parameters that it has. */
  readonly url: string;
  readonly timeoutMs?: number;
  /** Milliseconds since 1970. */
  readonly now?: () => number;
}

/** Asks a tokeninfo URL, as the original does. */
export class TokeninfoVerifier implements TokenVerifier {
  readonly setting = 'HTTP_TOKENINFO_URL';
  readonly #options: TokeninfoOptions;
  readonly #now: () => number;

  constructor(options: TokeninfoOptions) {
    this.#options = options;
    this.#now = options.now ?? Date.now;
  }

  /** Everything: whoever else knows a token is asked before. */
  recognizes(): boolean {
    return true;
  }

  async verify(token: string): Promise<Identity> {
    const asked = this.#now();
    const claims = await this.#ask(token);
    const { scope, realm, uid, expires_in: lifetime } = claims;
    const lifetimeMs = millisecondsOf(lifetime);
    if (lifetimeMs !== undefined && lifetimeMs <= 0) {
      throw new InvalidCredential('the token has expired');
    }
    return {
      principal: { uid: uidOf(uid), realm: realmOf(realm) },
      kind: 'oauth',
      scopes: new Set([...scopesOf(scope), ...grantedByAttribute(claims)]),
      expires: lifetimeMs === undefined ? undefined : asked + lifetimeMs,
    };
  }

  async #ask(token: string): Promise<Claims> {
    const url = new URL(this.#options.url);
    url.searchParams.set('access_token', token);
    const headers = { accept: 'application/json' };
    const { status, body } = await requestJson(
      this.setting,
      url,
      { headers },
      this.#options.timeoutMs,
    );
    if (status >= 400) throw new InvalidCredential('the token is unknown, expired or revoked');
    const claims = claimsOf(body);
    if (!claims) throw new IdentityUnavailable(this.setting, 'its answer is no JSON object');
    return claims;
  }
}

/** The original took a scope for granted when the document had an attribute of its name. */
function grantedByAttribute(claims: Claims): string[] {
  const names = Object.keys(claims).filter((name) => name.startsWith('application.'));
  return scopesOf(names.filter((name) => claimOf(claims, name) === true));
}
