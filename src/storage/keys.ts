import { randomBytes } from 'node:crypto';

/**
 * Every key that is ever written:
 *
 *   registry-id                 the id of the registry whose rows name the objects below
 *   segments/
 *     3f/                       the first two digits of the name, so that no directory grows large
 *       3f9c…                   a segment: 32 random hex digits; written once, never renamed or appended to
 *   check/                      what a start tries in a bucket, and removes again
 *     3f9c…                     32 random hex digits
 *     undeletable               where removing is what is not allowed
 */
export const REGISTRY_ID_KEY = 'registry-id';
export const SEGMENTS_PREFIX = 'segments/';
export const CHECK_PREFIX = 'check/';
export const UNDELETABLE_CHECK_KEY = `${CHECK_PREFIX}undeletable`;

/** The 256 shards below SEGMENTS_PREFIX. */
export const SHARDS: readonly string[] = Array.from({ length: 256 }, (_, n) =>
  n.toString(16).padStart(2, '0'),
);

export function newSegmentKey(): string {
  const name = randomBytes(16).toString('hex');
  return `${SEGMENTS_PREFIX}${name.slice(0, 2)}/${name}`;
}

export function newCheckKey(): string {
  return `${CHECK_PREFIX}${randomBytes(16).toString('hex')}`;
}
