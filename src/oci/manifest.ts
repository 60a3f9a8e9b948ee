import { z } from 'zod';
import {
  annotationsSchema,
  type Descriptor,
  descriptorSchema,
  descriptorsSchema,
  mediaTypeSchema,
} from './descriptor.ts';
import type { Digest } from './digest.ts';
import { OciError } from './error.ts';
import {
  isIndexMediaType,
  isManifestMediaType,
  isNonDistributable,
  type ManifestMediaType,
  MEDIA_TYPE,
  SCHEMA1,
} from './media-type.ts';

/** What the registry needs to know of a manifest. Its bytes are kept as they came and never made anew. */
export interface Manifest {
  readonly mediaType: ManifestMediaType;
  /** Blobs that must be linked in the repository, each once: config, layers, what an index lists that is no manifest. */
  readonly blobs: readonly Digest[];
  /** Manifests that must be in the repository, each once: an index's children, by their media types. */
  readonly manifests: readonly Digest[];
  /** Layers, blobs, children, each once, in their order. */
  readonly members: readonly Digest[];
  /**
   * What a signature tag must not lose: each layer with its annotations, since one of those is cosign's signature of a payload that all
   * signers share; of an index each child. Texts that begin with the digest.
   */
  readonly entries: readonly string[];
  readonly subject: Descriptor | undefined;
  /** The manifest's own artifactType, else its config's media type (distribution-spec, "Listing Referrers"). */
  readonly artifactType: string | undefined;
  readonly annotations: Readonly<Record<string, string>> | undefined;
  /** Digest of an image's config. */
  readonly config: Digest | undefined;
}

const manifestSchema = z.object({
  schemaVersion: z.number().optional(),
  mediaType: z.string().nullish(),
  artifactType: mediaTypeSchema.optional(),
  config: descriptorSchema.optional(),
  layers: descriptorsSchema.nullish(),
  blobs: descriptorsSchema.nullish(),
  manifests: descriptorsSchema.nullish(),
  subject: descriptorSchema.nullish(),
  annotations: annotationsSchema.nullish(),
});
type ManifestDocument = z.infer<typeof manifestSchema>;

/**
 * Reads a manifest. `contentType` is the request's header; where it says nothing (absent, JSON, octets), the
 * document's own mediaType decides, else its shape.
 * @throws OciError MANIFEST_INVALID, with a sentence that names the field.
 */
export function parseManifest(bytes: Uint8Array, contentType: string | undefined): Manifest {
  const document = readDocument(bytes);
  const mediaType = decideMediaType(document, essence(contentType));
  const isIndex = isIndexMediaType(mediaType);
  checkShape(document, mediaType, isIndex);
  const members = isIndex
    ? (document.manifests ?? [])
    : ((mediaType === MEDIA_TYPE.ociArtifact ? document.blobs : document.layers) ?? []);
  const isChild = (type: string) => isIndex && isManifestMediaType(type);
  // An index may list anything (image-spec, image-index.md): BuildKit's caches list layers.
  const blobs = members.filter(
    (member) => !isChild(member.mediaType) && !isNonDistributable(member.mediaType),
  );
  if (document.config && !isIndex) blobs.unshift(document.config);
  return {
    mediaType,
    blobs: digestsOf(blobs),
    manifests: digestsOf(members.filter((member) => isChild(member.mediaType))),
    members: digestsOf(members),
    entries: isIndex ? digestsOf(members) : [...new Set(members.map(withAnnotations))],
    subject: document.subject ?? undefined,
    artifactType: document.artifactType || (isIndex ? undefined : document.config?.mediaType),
    annotations: document.annotations ?? undefined,
    config: isIndex ? undefined : document.config?.digest,
  };
}

/** The media type without parameters, lower-cased (RFC 9110, section 8.3.1). */
function essence(contentType: string | undefined): string | undefined {
  return contentType?.split(';', 1)[0]?.trim().toLowerCase() || undefined;
}

function readDocument(bytes: Uint8Array): ManifestDocument {
  let json: unknown;
  try {
    json = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (cause) {
    throw invalid('the manifest is not JSON in UTF-8', cause);
  }
  const result = manifestSchema.safeParse(json);
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  const where = issue?.path.length ? issue.path.join('.') : 'the document';
  throw invalid(`${where}: ${issue?.message ?? 'has the wrong shape'}`, result.error);
}

/** Messages name fields of the manifest, which may have any length. */
const MAX_MESSAGE_LENGTH = 500;
const UNSPECIFIC = new Set(['application/json', 'application/octet-stream', 'text/plain']);

function decideMediaType(
  document: ManifestDocument,
  contentType: string | undefined,
): ManifestMediaType {
  if (document.schemaVersion === 1 || (contentType && SCHEMA1.test(contentType))) {
    throw invalid('manifests of schema 1 are not accepted: push with Docker 1.10 or newer');
  }
  const announced = contentType && !UNSPECIFIC.has(contentType) ? contentType : undefined;
  if (announced && document.mediaType && announced !== document.mediaType) {
    throw invalid(
      `Content-Type is ${announced}, but the manifest's mediaType is ${document.mediaType.slice(0, 100)}: send the same in both`,
    );
  }
  const mediaType = announced ?? (document.mediaType || inferMediaType(document));
  if (!isManifestMediaType(mediaType)) {
    throw invalid(
      `${mediaType.slice(0, 100)} is no manifest type that the registry keeps: ${Object.values(MEDIA_TYPE).join(', ')}`,
    );
  }
  return mediaType;
}

function inferMediaType(document: ManifestDocument): ManifestMediaType {
  return document.manifests ? MEDIA_TYPE.ociIndex : MEDIA_TYPE.ociManifest;
}

function checkShape(document: ManifestDocument, mediaType: ManifestMediaType, isIndex: boolean) {
  if (mediaType === MEDIA_TYPE.ociArtifact) return;
  if (document.schemaVersion !== 2) throw invalid('schemaVersion must be 2');
  // Clients could disagree about what it is (image-spec CVE-2021-41190).
  if (document.manifests && (document.config || document.layers)) {
    throw invalid('a document with the field manifests must not have config or layers');
  }
  if (isIndex) {
    if (!document.manifests) throw invalid('an index needs the field manifests');
    return;
  }
  if (!document.config) throw invalid('an image manifest needs the field config');
  // Written as null by Go programs when there are none.
  if (document.layers === undefined) throw invalid('an image manifest needs the field layers');
}

function withAnnotations({ digest, annotations }: Descriptor): string {
  const sorted = Object.entries(annotations ?? {}).toSorted(([one], [other]) =>
    one < other ? -1 : 1,
  );
  return sorted.length === 0 ? digest : `${digest} ${JSON.stringify(sorted)}`;
}

function digestsOf(descriptors: readonly Descriptor[]): Digest[] {
  return [...new Set(descriptors.map((descriptor) => descriptor.digest))];
}

function invalid(message: string, cause?: unknown): OciError {
  return new OciError('MANIFEST_INVALID', {
    message: `manifest invalid: ${message.slice(0, MAX_MESSAGE_LENGTH)}`,
    cause,
  });
}
