import { type Digest, parseDigest } from '../../src/oci/digest.ts';
import { parseTag, type Tag } from '../../src/oci/reference.ts';
import { parseRepositoryName, type RepositoryName } from '../../src/oci/repository-name.ts';

/** A sha256 digest that is told apart at a glance: one hex digit, 64 times. */
export function sha256Of(hexDigit: string): Digest {
  return present(parseDigest(`sha256:${hexDigit.repeat(64)}`), `the digest of ${hexDigit}`);
}

export function tagOf(text: string): Tag {
  return present(parseTag(text), `the tag ${text}`);
}

export function repositoryOf(text: string): RepositoryName {
  return present(parseRepositoryName(text), `the repository ${text}`);
}

/** The value itself; fails the test when there is none. */
export function present<T>(value: T | undefined | null, what: string): T {
  if (value === undefined || value === null) throw new Error(`${what} is missing`);
  return value;
}
