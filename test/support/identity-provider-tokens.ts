import { randomBytes } from 'node:crypto';
import type { Principal } from './identity-provider-people.ts';

export interface TokenOptions {
  /** In place of those of the principal. */
  readonly scopes?: readonly string[];
  /** An hour unless said; 0 or less is a token that has expired. */
  readonly lifetimeSeconds?: number;
  /** Of introspection; the issuer's default unless said. */
  readonly audience?: string | readonly string[];
  /** Put into, or over, what tokeninfo and introspection say; `undefined` leaves something out. */
  readonly claims?: Readonly<Record<string, unknown>>;
  /** The token itself. Random unless said, with characters that have a meaning in URLs: who forgets to encode them is caught. */
  readonly token?: string;
}

export interface OpaqueToken {
  readonly token: string;
  readonly principal: Principal;
  readonly scopes: readonly string[];
  readonly audience: string | readonly string[] | undefined;
  readonly claims: Readonly<Record<string, unknown>>;
  /** Seconds since 1970. */
  readonly issuedAt: number;
  readonly expiresAt: number;
}

export const TOKEN_LIFETIME_SECONDS = 3600;

/** Tokens that say nothing by themselves: whoever wants to know asks the provider. */
export class OpaqueTokens {
  readonly #tokens = new Map<string, OpaqueToken>();
  readonly #forms: { readonly form: RegExp; readonly principal: Principal }[] = [];

  issue(principal: Principal, options: TokenOptions = {}): OpaqueToken {
    const issued = describe(principal, options.token ?? drawToken(), options);
    this.#tokens.set(issued.token, issued);
    return issued;
  }

  /** Any token of this form is the principal's: millions of them need no memory. */
  recognise(form: RegExp, principal: Principal): void {
    this.#forms.push({ form, principal });
  }

  /** Nobody knows it from now on. */
  revoke(token: string): void {
    if (!this.#tokens.delete(token)) throw new Error('a token is revoked that is not there');
  }

  /** None for one that is unknown, revoked or expired. */
  find(token: string): OpaqueToken | undefined {
    const found = this.#tokens.get(token) ?? this.#findByForm(token);
    return found && found.expiresAt * 1000 > Date.now() ? found : undefined;
  }

  #findByForm(token: string): OpaqueToken | undefined {
    const owner = this.#forms.find(({ form }) => form.test(token))?.principal;
    return owner && describe(owner, token, {});
  }
}

function describe(principal: Principal, token: string, options: TokenOptions): OpaqueToken {
  const issuedAt = Math.floor(Date.now() / 1000);
  return {
    token,
    principal,
    scopes: options.scopes ?? principal.scopes,
    audience: options.audience,
    claims: options.claims ?? {},
    issuedAt,
    expiresAt: issuedAt + (options.lifetimeSeconds ?? TOKEN_LIFETIME_SECONDS),
  };
}

/** All that RFC 6750 allows. */
function drawToken(): string {
  const text = () => randomBytes(12).toString('hex');
  return `${text()}-._~+/${text()}==`;
}
