import type { Digest } from './digest.ts';
import type { ManifestMediaType } from './media-type.ts';

/** A manifest that names another one as its subject (distribution-spec, "Listing Referrers"). */
export interface Referrer {
  readonly digest: Digest;
  readonly mediaType: ManifestMediaType;
  readonly sizeBytes: number;
  readonly artifactType: string | undefined;
  readonly annotations: Readonly<Record<string, string>> | undefined;
}
