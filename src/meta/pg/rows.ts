import { type Digest, parseDigest } from '../../oci/digest.ts';
import { isManifestMediaType, type ManifestMediaType } from '../../oci/media-type.ts';
import type { Principal } from '../../oci/principal.ts';
import type { Segment } from '../records/blob-records.ts';

/*
 * From columns to the program's types. Values were checked before they were written: one that doesn't pass here
 * was changed behind our back, and is an error.
 */

export function toDigest(text: string): Digest {
  const digest = parseDigest(text);
  if (digest === undefined) throw new Error(`the database holds a digest that is none: ${text}`);
  return digest;
}

export function toMediaType(text: string): ManifestMediaType {
  if (isManifestMediaType(text)) return text;
  throw new Error(`the database holds a manifest of unknown media type: ${text}`);
}

/** Columns `keys` and `sizes`: two arrays of one length, in the segments' order. */
export interface SegmentColumns {
  readonly keys: readonly string[];
  readonly sizes: readonly number[];
}

export function toSegments({ keys, sizes }: SegmentColumns): Segment[] {
  return keys.map((key, number) => ({ key, sizeBytes: sizes[number] ?? 0 }));
}

/** The columns uid, realm, issuer and claims of the audit trail. */
export function principalColumns({ uid, realm, issuer, claims }: Principal) {
  return [uid, realm ?? null, issuer ?? null, claims ? JSON.stringify(claims) : null];
}
