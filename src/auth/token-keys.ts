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

/** RFC 7518, section 3.2: HS256 needs a key of 32 bytes at least. */
const MIN_SECRET_LENGTH = 32;
const MAX_SECRETS = 2;

/** Reads HTTP_TOKEN_KEY: one secret, or two of them, separated by a comma. @throws Error a sentence that holds no secret */
export function readTokenSecrets(text: string): string[] {
  const secrets = text.split(',').map((secret) => secret.trim());
  if (secrets.length > MAX_SECRETS) {
    throw new Error(
      'there are more than two secrets: the first one signs, one more is accepted while you rotate them',
    );
  }
  if (secrets.some((secret) => secret.length < MIN_SECRET_LENGTH)) {
    throw new Error(
      `a secret has fewer than ${MIN_SECRET_LENGTH} characters: make one with openssl rand -hex 32`,
    );
  }
  return secrets;
}

/** Keys that the operator gives to each instance: the first one signs, all verify. */
export class ConfiguredTokenKeys implements TokenKeys {
  readonly #signing: TokenKey;
  readonly #keys: readonly TokenKey[];

  /** @param secrets as {@link readTokenSecrets} gives them */
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
