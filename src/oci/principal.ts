/** Who asks. Two principals are the same when their uid and issuer are. */
export interface Principal {
  /** Unique per issuer; `anonymous` is reserved for requests without credentials. */
  readonly uid: string;
  /** `employees` or `services`, without slashes, where the identity provider tells. */
  readonly realm?: string | undefined;
  /** The OpenID Connect issuer; undefined for tokens that the tokeninfo or introspection URL knows. */
  readonly issuer?: string | undefined;
  /** What a CI system's token says of the run that it was made for: `repository`, `workflow`, `run`, `revision`, `subject`. */
  readonly claims?: Readonly<Record<string, string>> | undefined;
}

export const ANONYMOUS: Principal = { uid: 'anonymous' };
