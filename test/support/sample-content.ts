import { createHash, randomBytes } from 'node:crypto';
import type { HttpAnswer, HttpClient } from './http-client.ts';

export const OCI_MANIFEST = 'application/vnd.oci.image.manifest.v1+json';
export const OCI_INDEX = 'application/vnd.oci.image.index.v1+json';

export interface Sample {
  readonly bytes: Buffer;
  /** sha256 */
  readonly digest: string;
}

export function digestOf(bytes: Uint8Array | string, algorithm: 'sha256' | 'sha512' = 'sha256') {
  return `${algorithm}:${createHash(algorithm).update(bytes).digest('hex')}`;
}

export function sampleOf(bytes: Buffer): Sample {
  return { bytes, digest: digestOf(bytes) };
}

export function randomSample(sizeBytes: number): Sample {
  return sampleOf(randomBytes(sizeBytes));
}

/** A descriptor; other fields in `extra`. */
export function descriptor(mediaType: string, { digest, bytes }: Sample, extra: object = {}) {
  return { mediaType, digest, size: bytes.length, ...extra };
}

/** An OCI image manifest; `note` makes it differ from others with the same content. */
export function imageOf(config: Sample, layers: readonly Sample[] = [], note = ''): Sample {
  const document = {
    schemaVersion: 2,
    mediaType: OCI_MANIFEST,
    config: descriptor('application/vnd.oci.image.config.v1+json', config),
    layers: layers.map((layer) => descriptor('application/vnd.oci.image.layer.v1.tar+gzip', layer)),
    annotations: { note },
  };
  return sampleOf(Buffer.from(JSON.stringify(document)));
}

export function indexOf(children: readonly Sample[], note = ''): Sample {
  const manifests = children.map((child) => descriptor(OCI_MANIFEST, child));
  const document = { schemaVersion: 2, mediaType: OCI_INDEX, manifests, annotations: { note } };
  return sampleOf(Buffer.from(JSON.stringify(document)));
}

/** A whole blob in one POST. @throws when that isn't answered by 201 */
export async function pushBlob(api: HttpClient, repository: string, blob: Sample): Promise<void> {
  const path = `/v2/${repository}/blobs/uploads/?digest=${blob.digest}`;
  await expectStatus(api.send('POST', path, { body: blob.bytes }), 201);
}

export function putManifest(
  api: HttpClient,
  repository: string,
  reference: string,
  manifest: Sample,
  mediaType: string = OCI_MANIFEST,
): Promise<HttpAnswer> {
  return api.send('PUT', `/v2/${repository}/manifests/${reference}`, {
    headers: { 'Content-Type': mediaType },
    body: manifest.bytes,
  });
}

/** @returns the path of a new upload. */
export async function startUpload(api: HttpClient, repository: string): Promise<string> {
  const answer = await expectStatus(api.send('POST', `/v2/${repository}/blobs/uploads/`), 202);
  return answer.headers['location'] ?? '';
}

/** For steps that lead to what a test is about. @throws when the answer is another one */
export async function expectStatus(request: Promise<HttpAnswer>, status: number) {
  const answer = await request;
  if (answer.status === status) return answer;
  throw new Error(`${answer.status} instead of ${status}: ${answer.body.toString()}`);
}
