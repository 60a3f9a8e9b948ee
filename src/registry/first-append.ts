import type { MetadataStore } from '../meta/metadata-store.ts';
import type { Metrics } from '../metrics.ts';
import type { ByteRange } from '../oci/byte-range.ts';
import { type ByteSource, type RequestSource, sourceOf } from '../oci/byte-source.ts';
import type { DigestAlgorithm } from '../oci/digest.ts';
import type { RepositoryName } from '../oci/repository-name.ts';
import type { BlobStore } from '../storage/blob-store.ts';
import type { ClosedSegment, Ingest } from '../workers/ingest.ts';
import { appendName } from './append-locks.ts';
import { clientGone } from './append-rules.ts';

export interface FirstAppendParts {
  readonly metadata: Pick<MetadataStore, 'uploads'>;
  readonly store: BlobStore;
  readonly ingest: Ingest;
  readonly metrics: Metrics;
  readonly expirationMs: number;
}

/** An upload, as a request names it. */
interface NamedUpload {
  readonly repository: RepositoryName;
  readonly id: string;
  /** Of its digest. */
  readonly algorithm: DigestAlgorithm;
}

/** What a request brings. */
interface RequestBytes {
  readonly source: RequestSource | undefined;
  readonly range: ByteRange | undefined;
  /** Tells that the client has gone. */
  readonly signal: AbortSignal;
}

/** What is left to be appended when `appendedBytes`, all or none, are. */
interface FirstAppend {
  readonly appendedBytes: number;
  readonly rest: ByteSource | undefined;
}

/**
 * Appends a body that came with its request's head as all that an upload has, with one round trip to the database: the
 * lock is held for the commit alone, and nothing is asked before. Most small layers and configs are pushed so.
 * Nothing is changed when the body has a range, or still comes, and when the upload is unknown, has bytes, is appended to, or has
 * another algorithm.
 */
export async function appendFirst(
  parts: FirstAppendParts,
  upload: NamedUpload,
  { source, range, signal }: RequestBytes,
): Promise<FirstAppend> {
  const whole = range ? undefined : await source?.takeWhole();
  if (!whole) return { appendedBytes: 0, rest: source };
  if (whole.length === 0) return { appendedBytes: 0, rest: undefined };
  const isFirst = await storeFirst(parts, upload, whole, signal);
  return isFirst
    ? { appendedBytes: whole.length, rest: undefined }
    : { appendedBytes: 0, rest: sourceOf(whole) };
}

/** @param signal what is not committed when the client has gone is no part of the upload */
async function storeFirst(
  { metadata, store, ingest, metrics, expirationMs }: FirstAppendParts,
  upload: NamedUpload,
  bytes: Uint8Array,
  signal: AbortSignal,
): Promise<boolean> {
  let isFirst = false;
  const commit = async ({ key, sizeBytes, digest }: ClosedSegment) => {
    const lockName = appendName(upload.id);
    const segment = { key, sizeBytes };
    isFirst =
      !signal.aborted &&
      (await metadata.uploads.appendFirst(upload, segment, digest, expirationMs, lockName));
    if (!isFirst) await store.delete([key]);
  };
  metrics.activeAppends.inc();
  try {
    await ingest.append({
      source: sourceOf(bytes),
      plan: { kind: 'whole', algorithm: upload.algorithm },
      expectedBytes: bytes.length,
      commit,
      signal,
    });
  } finally {
    metrics.activeAppends.dec();
  }
  if (isFirst) metrics.uploadedBytes.inc(bytes.length);
  else if (signal.aborted) throw clientGone();
  return isFirst;
}
