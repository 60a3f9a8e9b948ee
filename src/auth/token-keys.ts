import { createHmac } from 'node:crypto';

/** A secret that signs registry tokens. */
export interface TokenKey {
  /** What tokens call it; tells nothing of the secret. */
  readonly id: string;
  readonly secret: Uint8Array;
}

/** The keys of registry tokens; all instances of a registry have the same. */
export interface TokenKeys {
  /** Signs tokens now. @throws IdentityUnavailable when the keys can't be read */
  signingKey(): Promise<TokenKey>;
  /** The key that a token names, or undefined. @throws IdentityUnavailable when it can't be known */
  findKey(id: string): Promise<TokenKey | undefined>;
  /** Harmless when called twice. */
  close(): Promise<void>;
}

/** Keys that the operator gives to each instance: the first one signs, all verify. */
export class ConfiguredTokenKeys implements TokenKeys {
  readonly #signing: TokenKey;
  readonly #keys: readonly TokenKey[];

  /** @param secrets one at least, each of 32 characters or more (RFC 7518, section 3.2) */
  constructor(secrets: readonly string[]) {
    this.#keys = secrets.map(toKey);
    const [signing] = this.#keys;
    if (!signing) throw new Error('there is no secret');
    this.#signing = signing;
  }

  signingKey(): Promise<TokenKey> {
    return Promise.resolve(this.#signing);
  }

  findKey(id: string): Promise<TokenKey | undefined> {
    return Promise.resolve(this.#keys.find((key) => key.id === id));
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}

/** Name and key are derived apart, so that the name, which is in each token, tells nothing of the key. */
function toKey(secret: string): TokenKey {
  const derive = (purpose: string) => createHmac('sha256', secret).update(purpose).digest();
  return {
    id: derive('pierone registry token: key id').toString('hex').slice(0, 16),
    secret: derive('pierone registry token: key'),
  };
}
