/** Media types of manifests that the registry keeps, by what they are. */
export const MEDIA_TYPE = {
  ociManifest: 'application/vnd.oci.image.manifest.v1+json',
  ociIndex: 'application/vnd.oci.image.index.v1+json',
  ociArtifact: 'application/vnd.oci.artifact.manifest.v1+json',
  dockerManifest: 'application/vnd.docker.distribution.manifest.v2+json',
  dockerList: 'application/vnd.docker.distribution.manifest.list.v2+json',
} as const;

export type ManifestMediaType = (typeof MEDIA_TYPE)[keyof typeof MEDIA_TYPE];

const MANIFEST_MEDIA_TYPES: ReadonlySet<string> = new Set(Object.values(MEDIA_TYPE));

/** Docker's manifest of schema 1, in both spellings: known, and refused. */
export const SCHEMA1 = /^application\/vnd\.docker\.distribution\.manifest\.v1\+(prettyjws|json)$/;

export function isManifestMediaType(text: string): text is ManifestMediaType {
  return MANIFEST_MEDIA_TYPES.has(text);
}

export function isIndexMediaType(mediaType: ManifestMediaType): boolean {
  return mediaType === MEDIA_TYPE.ociIndex || mediaType === MEDIA_TYPE.dockerList;
}

/**
 * Layers that need not be in the registry: OCI's non-distributable ones (image-spec, layer.md) and
 * Docker's foreign ones.
 */
export function isNonDistributable(mediaType: string): boolean {
  return mediaType.includes('.nondistributable.') || mediaType.includes('.foreign.');
}
