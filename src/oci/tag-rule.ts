import type { Digest } from './digest.ts';
import type { Manifest } from './manifest.ts';
import { isIndexMediaType, type ManifestMediaType } from './media-type.ts';
import { LATEST, type Tag } from './reference.ts';

/**
 * How a tag may change; written into its row when it is created, and never changed after.
 * - immutable: never names a second digest
 * - mutable: its name matched MUTABLE_TAGS
 * - append-only: a signature tag; a new value holds all that the old one held
 */
export type Mutability = 'immutable' | 'mutable' | 'append-only';

/** What decides over a tag: read inside the transaction that writes it. */
export interface TagState {
  readonly digest: Digest;
  readonly mutability: Mutability;
  /** Those of the manifest that it names. Needed for append-only tags alone. */
  readonly entries: Manifest['entries'];
}

export type TagDecision =
  | { readonly kind: 'create'; readonly mutability: Mutability }
  | { readonly kind: 'unchanged' }
  | { readonly kind: 'replace' }
  | { readonly kind: 'refuse'; readonly message: string };

export interface TagPush {
  readonly tag: Tag;
  readonly digest: Digest;
  readonly mediaType: ManifestMediaType;
  readonly entries: Manifest['entries'];
}

/** cosign's tags and the referrers fallback: the subject's algorithm and 64 hex digits (distribution-spec, "Referrers Tag Schema"). */
const SIGNATURE_TAG = /^sha(?:256|512)-[a-f0-9]{64}(\.(?:sig|att|sbom))?$/;

/** Under which clients push an index of a manifest's referrers, where they don't count on the registry to list them. */
export function referrersTag(subject: Digest): string {
  const [algorithm, hex = ''] = subject.split(':');
  return `${algorithm}-${hex.slice(0, 64)}`;
}

/** The tag rule. `current` is what the tag names now; for `latest`, what it resolves to now. */
export function decideTag(
  push: TagPush,
  current: TagState | undefined,
  isMutableName: (tag: Tag) => boolean,
): TagDecision {
  if (push.tag === LATEST) return decideLatest(push, current);
  if (!current) return { kind: 'create', mutability: mutabilityOf(push, isMutableName) };
  if (current.digest === push.digest) return { kind: 'unchanged' };
  switch (current.mutability) {
    case 'mutable':
      return { kind: 'replace' };
    case 'append-only':
      return decideAppend(push, current);
    case 'immutable':
      return { kind: 'refuse', message: 'tag already exists' };
  }
}

function decideLatest(push: TagPush, current: TagState | undefined): TagDecision {
  if (current?.digest === push.digest) return { kind: 'unchanged' };
  return {
    kind: 'refuse',
    message:
      'tag latest is not allowed: latest always means the newest immutable tag of the repository; push a tag with a name of its own',
  };
}

function decideAppend(push: TagPush, current: TagState): TagDecision {
  const kept = new Set(push.entries);
  const lost = current.entries.filter((entry) => !kept.has(entry));
  if (lost.length === 0) return { kind: 'replace' };
  return {
    kind: 'refuse',
    message: `tag already exists, and may only grow: the new manifest lacks ${lost.length} of its entries, the first being ${shown(lost[0])}; read the tag again and add to it`,
  };
}

/** Annotations may be long. */
function shown(entry = ''): string {
  const [digest, annotations] = entry.split(' ', 2);
  return annotations === undefined ? `${digest}` : `${digest} with its annotations`;
}

function mutabilityOf(push: TagPush, isMutableName: (tag: Tag) => boolean): Mutability {
  const signature = SIGNATURE_TAG.exec(push.tag);
  if (signature && (signature[1] || isIndexMediaType(push.mediaType))) return 'append-only';
  return isMutableName(push.tag) ? 'mutable' : 'immutable';
}

/** Matches names against patterns in which `*` stands for any characters; case matters. */
export function matchesAny(patterns: readonly string[]): (name: string) => boolean {
  const matchers = patterns.map(
    (pattern) => new RegExp(`^${pattern.split('*').map(escapeRegExp).join('.*')}$`),
  );
  return (name) => matchers.some((matcher) => matcher.test(name));
}

function escapeRegExp(text: string): string {
  return text.replace(/[.+?^${}()|[\]\\]/g, '\\$&');
}
