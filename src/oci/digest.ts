import { createHash } from 'node:crypto';

/** Algorithms that a digest may name (OCI image-spec, descriptor.md#registered-algorithms). */
export const DIGEST_ALGORITHMS = ['sha256', 'sha512'] as const;
export type DigestAlgorithm = (typeof DIGEST_ALGORITHMS)[number];

declare const digestBrand: unique symbol;
/** A content digest, `algorithm:hex` in lower case, checked by {@link parseDigest}. */
export type Digest = string & { readonly [digestBrand]: never };

const HEX_LENGTH: Record<DigestAlgorithm, number> = { sha256: 64, sha512: 128 };
const DIGEST = /^(sha256:[a-f0-9]{64}|sha512:[a-f0-9]{128})$/;

function isDigest(text: string): text is Digest {
  return DIGEST.test(text);
}

export function isDigestAlgorithm(text: string): text is DigestAlgorithm {
  return text === 'sha256' || text === 'sha512';
}

/** The digest that `text` is, or undefined when it is malformed or names an unsupported algorithm. */
export function parseDigest(text: string): Digest | undefined {
  return isDigest(text) ? text : undefined;
}

export function digestAlgorithm(digest: Digest): DigestAlgorithm {
  return digest.startsWith('sha512:') ? 'sha512' : 'sha256';
}

/** Joins an algorithm and the hexadecimal output of its hash function. @throws RangeError when they don't fit. */
export function digestOf(algorithm: DigestAlgorithm, hex: string): Digest {
  const text = `${algorithm}:${hex}`;
  if (hex.length !== HEX_LENGTH[algorithm] || !isDigest(text)) {
    throw new RangeError(`not a ${algorithm} value: ${hex}`);
  }
  return text;
}

/** The digest of a small body that is in memory as a whole (a manifest). Layers go through the workers. */
export function digestBytes(algorithm: DigestAlgorithm, bytes: Uint8Array): Digest {
  return digestOf(algorithm, createHash(algorithm).update(bytes).digest('hex'));
}
