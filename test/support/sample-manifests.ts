import { MEDIA_TYPE } from '../../src/oci/media-type.ts';
import { sha256Of } from './vocabulary.ts';

export const CONFIG_TYPE = 'application/vnd.oci.image.config.v1+json';
export const LAYER_TYPE = 'application/vnd.oci.image.layer.v1.tar+gzip';

/** A descriptor of made-up content. */
export function descriptorOf(hexDigit: string, mediaType = LAYER_TYPE) {
  return { mediaType, digest: sha256Of(hexDigit), size: 7 };
}

/** An image with the config `c` and the layers `1` and `2`; `changes` replaces or adds fields. */
export function imageDocument(changes: Readonly<Record<string, unknown>> = {}) {
  return {
    schemaVersion: 2,
    mediaType: MEDIA_TYPE.ociManifest,
    config: descriptorOf('c', CONFIG_TYPE),
    layers: [descriptorOf('1'), descriptorOf('2')],
    ...changes,
  };
}

/** An index of the manifests `a` and `b`. */
export function indexDocument(changes: Readonly<Record<string, unknown>> = {}) {
  return {
    schemaVersion: 2,
    mediaType: MEDIA_TYPE.ociIndex,
    manifests: [
      descriptorOf('a', MEDIA_TYPE.ociManifest),
      descriptorOf('b', MEDIA_TYPE.ociManifest),
    ],
    ...changes,
  };
}

export function bytesOf(document: unknown): Uint8Array {
  return new TextEncoder().encode(
    typeof document === 'string' ? document : JSON.stringify(document),
  );
}
