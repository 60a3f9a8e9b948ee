import { type Digest, parseDigest } from './digest.ts';

declare const tagBrand: unique symbol;
/** A tag's name, checked by {@link parseTag}. */
export type Tag = string & { readonly [tagBrand]: never };

/** What names a manifest within a repository: its digest, or a tag. */
export type Reference =
  | { readonly kind: 'digest'; readonly digest: Digest }
  | { readonly kind: 'tag'; readonly tag: Tag };

/** OCI distribution-spec, "Pulling manifests": the grammar of <reference> as a tag. */
const TAG = /^[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}$/;

/** The virtual tag: the newest immutable tag of a repository. It is never stored. */
export const LATEST = 'latest';

function isTag(text: string): text is Tag {
  return TAG.test(text);
}

export function parseTag(text: string): Tag | undefined {
  return isTag(text) ? text : undefined;
}

/** A text with a colon can only be a digest, since no tag has one. */
export function parseReference(text: string): Reference | undefined {
  const digest = parseDigest(text);
  if (digest !== undefined) return { kind: 'digest', digest };
  const tag = parseTag(text);
  return tag === undefined ? undefined : { kind: 'tag', tag };
}
