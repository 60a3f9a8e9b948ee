import { randomUUID } from 'node:crypto';
import {
  CompactSign,
  type CryptoKey,
  createLocalJWKSet,
  exportJWK,
  exportSPKI,
  generateKeyPair,
  type JSONWebKeySet,
  type JWK,
  type JWTPayload,
  jwtVerify,
} from 'jose';

export type SigningAlgorithm = 'RS256' | 'ES256';

export interface JwtOptions {
  /**
   * RS256 unless said. `none` leaves the signature out; `HS256` takes the published key, as PEM, for a secret, which is
   * what a verifier falls for that believes the header.
   */
  readonly alg?: SigningAlgorithm | 'none' | 'HS256';
  /** Of the header; that of the key unless said, and `null` for none. One that was rotated away signs with its key. */
  readonly kid?: string | null;
  /** `foreign`: signed by a key that the provider never had, under the kid of one that it has. */
  readonly key?: 'own' | 'foreign';
  /** Further members of the header, such as `jku`, `jwk`, `crit` or another `typ`. */
  readonly header?: Readonly<Record<string, unknown>>;
}

interface SigningKey {
  readonly kid: string;
  readonly alg: SigningAlgorithm;
  readonly privateKey: CryptoKey;
  readonly publicKey: CryptoKey;
  readonly jwk: JWK;
}

const ALGORITHMS: readonly SigningAlgorithm[] = ['RS256', 'ES256'];

/** The keys of an issuer of JWTs: one of each algorithm signs, and some that signed before. */
export class SigningKeys {
  /** The newest first. */
  readonly #keys: SigningKey[] = [];
  #published: readonly SigningKey[] = [];

  static async create(): Promise<SigningKeys> {
    const keys = new SigningKeys();
    await keys.rotate();
    return keys;
  }

  /** New keys sign from now on. Those before are no longer published, unless they are kept until the next rotation. */
  async rotate({ keepOld = false }: { readonly keepOld?: boolean } = {}): Promise<void> {
    const signing = this.#keys.slice(0, ALGORITHMS.length);
    const fresh = await Promise.all(ALGORITHMS.map(createKey));
    this.#keys.unshift(...fresh);
    this.#published = keepOld ? [...fresh, ...signing] : fresh;
  }

  /** What `jwks_uri` answers. */
  get published(): JSONWebKeySet {
    return { keys: this.#published.map(({ jwk }) => jwk) };
  }

  /** Of the key that signs. */
  kid(alg: SigningAlgorithm = 'RS256'): string {
    return this.#signing(alg).kid;
  }

  /** A JWT with these claims and no others; what JSON can't hold, such as `undefined`, is left out. */
  async sign(claims: Readonly<Record<string, unknown>>, options: JwtOptions = {}): Promise<string> {
    const { alg = 'RS256', key: whose = 'own' } = options;
    const named = this.#keys.find(({ kid }) => kid === options.kid);
    const own = named ?? this.#signing(alg === 'ES256' ? 'ES256' : 'RS256');
    const kid = options.kid === undefined ? own.kid : (options.kid ?? undefined);
    const header = { typ: 'JWT', kid, ...options.header };
    const payload = Buffer.from(JSON.stringify(claims));
    if (alg === 'none') return unsigned({ alg, ...header }, payload);
    const secret = async () => {
      if (alg === 'HS256') return Buffer.from(await exportSPKI(own.publicKey));
      return whose === 'foreign' ? (await createKey(own.alg)).privateKey : own.privateKey;
    };
    const signer = new CompactSign(payload);
    signer.setProtectedHeader({
      ...withoutUndefined(header),
      alg: alg === 'HS256' ? alg : own.alg,
    });
    return signer.sign(await secret());
  }

  /** The claims of a JWT that a published key has signed and that hasn't expired; none for any other. */
  async verify(jwt: string, issuer: string): Promise<JWTPayload | undefined> {
    const options = { issuer, algorithms: [...ALGORITHMS] };
    return jwtVerify(jwt, createLocalJWKSet(this.published), options).then(
      ({ payload }) => payload,
      () => undefined,
    );
  }

  #signing(alg: SigningAlgorithm): SigningKey {
    const key = this.#keys.find((one) => one.alg === alg);
    if (!key) throw new Error(`there is no key for ${alg}`);
    return key;
  }
}

async function createKey(alg: SigningAlgorithm): Promise<SigningKey> {
  const { privateKey, publicKey } = await generateKeyPair(alg, { extractable: true });
  const kid = randomUUID();
  const jwk = { ...(await exportJWK(publicKey)), kid, alg, use: 'sig' };
  return { kid, alg, privateKey, publicKey, jwk };
}

/** As RFC 7519, section 6 has it: with an empty signature. */
function unsigned(header: object, payload: Buffer): string {
  const encodedHeader = Buffer.from(JSON.stringify(header)).toString('base64url');
  return `${encodedHeader}.${payload.toString('base64url')}.`;
}

function withoutUndefined(header: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(header).filter(([, value]) => value !== undefined));
}
