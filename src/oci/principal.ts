/** Who asks. */
export interface Principal {
  /** Unique per issuer; `anonymous` is reserved for requests without credentials. */
  readonly uid: string;
  /** `employees` or `services`, where the identity provider tells. */
  readonly realm?: string;
}

export const ANONYMOUS: Principal = { uid: 'anonymous' };
