import type { Principal } from '../oci/principal.ts';

/** What a valid credential says of its bearer. */
export interface Identity {
  readonly principal: Principal;
  /** `oauth`: a person or service; `instance`: a machine's identity document, which may only pull. */
  readonly kind: 'oauth' | 'instance';
  readonly scopes: ReadonlySet<string>;
  /** Teams that the token itself names, where its issuer is trusted with that; undefined: other sources of teams are asked. */
  readonly teams?: ReadonlySet<string> | undefined;
  /** When the credential ends, in ms since 1970; undefined: it isn't known. */
  readonly expires?: number | undefined;
}

/** Says whom a token stands for. */
export interface TokenVerifier {
  /** The variable that names who is asked, for errors. */
  readonly setting: string;
  /** Whether the token is of the kind that this verifier checks; asks nobody. */
  recognizes(token: string): boolean;
  /** @throws InvalidCredential; IdentityUnavailable when it can't be known now */
  verify(token: string): Promise<Identity>;
}

/** The credential stands for nobody: expired, revoked, forged, or of someone who may not be here. */
export class InvalidCredential extends Error {
  override readonly name = 'InvalidCredential';
  /** `forbidden`: a valid credential, of someone that the registry can't know (no uid): 403 instead of 401. */
  readonly kind: 'invalid' | 'forbidden';

  /** @param message a sentence for the bearer, without any part of the credential */
  constructor(message: string, kind: 'invalid' | 'forbidden' = 'invalid') {
    super(message);
    this.kind = kind;
  }
}

/** A dependency of access control is down, slow or answers what can't be understood. */
export class IdentityUnavailable extends Error {
  override readonly name = 'IdentityUnavailable';
  /** The setting that names it, such as HTTP_TOKENINFO_URL. */
  readonly setting: string;

  /** @param problem what happened, without any credential or URL */
  constructor(setting: string, problem: string, options?: ErrorOptions) {
    super(`${setting}: ${problem}`, options);
    this.setting = setting;
  }
}
