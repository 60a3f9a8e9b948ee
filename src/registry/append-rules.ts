import type { UploadSession } from '../meta/records/upload-records.ts';
import type { ByteRange } from '../oci/byte-range.ts';
import { type DigestAlgorithm, digestAlgorithm } from '../oci/digest.ts';
import { OciError } from '../oci/error.ts';
import type { DigestPlan } from '../workers/ingest.ts';

/** A chunk begins where the upload ends (distribution-spec, "Pushing a blob in chunks"); else 416 and nothing changes. */
export function checkRange(session: UploadSession, range: ByteRange | undefined): void {
  if (!range || range.first === session.offset) return;
  throw new OciError('BLOB_UPLOAD_INVALID', {
    status: 416,
    message: `the chunk begins at byte ${range.first}, but the upload has ${session.offset} bytes: go on from there`,
    headers: {
      Location: `/v2/${session.repository}/blobs/uploads/${session.id}`,
      Range: `0-${Math.max(0, session.offset - 1)}`,
    },
  });
}

/** Nobody reads it; it ends the request. */
export function clientGone(): OciError {
  return new OciError('BLOB_UPLOAD_INVALID', {
    message: 'the client went away in the middle of the body',
  });
}

/**
 * A body that was refused as the first one must not come behind what another instance appended since it came: that may be
 * itself, repeated.
 * @param waitedMs since it came, when the session was asked for
 */
export function checkUnchanged(
  session: UploadSession,
  waitedMs: number,
  expirationMs: number,
): void {
  const lastAppendMs = expirationMs - session.expiresInMs;
  if (session.finished || session.isOver || session.offset === 0) return;
  if (lastAppendMs < waitedMs) throw changedMeanwhile();
}

export function changedMeanwhile(): OciError {
  return new OciError('BLOB_UPLOAD_INVALID', {
    status: 409,
    message: 'the upload was changed by another request: ask for its status, and go on from there',
  });
}

export function wrongLength(announcedBytes: number): OciError {
  return new OciError('SIZE_INVALID', {
    message: `Content-Range and Content-Length differ: the body has ${announcedBytes} bytes; nothing was appended, send it again with its own length`,
  });
}

/** How the next bytes are digested; see DigestPlan. Only a body without Content-Range at the start is the fast way. */
export function planDigest(
  session: UploadSession,
  algorithm: DigestAlgorithm,
  isChunk: boolean,
): DigestPlan {
  const { offset, checkpoint } = session;
  if (offset === 0) {
    return isChunk
      ? { kind: 'resumable', algorithm, from: undefined }
      : { kind: 'whole', algorithm };
  }
  const { engine, state, digest } = checkpoint;
  if (!engine || !state || !digest || digestAlgorithm(digest) !== algorithm)
    return { kind: 'none' };
  return { kind: 'resumable', algorithm, from: { engine, state } };
}
