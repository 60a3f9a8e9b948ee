import { type ByteRange, parseContentRange } from '../../oci/byte-range.ts';
import { type Digest, type DigestAlgorithm, isDigestAlgorithm } from '../../oci/digest.ts';
import { OciError } from '../../oci/error.ts';
import { parseRepositoryName, type RepositoryName } from '../../oci/repository-name.ts';
import type { UploadRequest } from '../../registry/upload-request.ts';
import type { UploadStatus } from '../../registry/uploads.ts';
import type { Context } from '../context.ts';
import { API_VERSION, methodNotAllowed, requireDigest } from './answers.ts';

/** end-4 and end-11: POST starts an upload, takes a whole blob, or mounts one of another repository. */
export async function handleUploads(context: Context, repository: RepositoryName): Promise<void> {
  const { exchange } = context;
  if (exchange.method !== 'POST') throw methodNotAllowed(context, 'POST');
  const query = new URLSearchParams(exchange.query);
  if (await mount(context, repository, query)) return;
  const digestText = query.get('digest');
  const digest = digestText === null ? undefined : requireDigest(digestText);
  const { uploads } = context.parts;
  const status = await uploads.start(repository, readAlgorithm(query, digest));
  if (digest === undefined) {
    sendStatus(context, repository, status, 202);
    return;
  }
  const request = uploadRequest(context, repository, status.id);
  await uploads.finish(request, digest, exchange.body, undefined);
  sendCreated(context, repository, digest);
}

/** end-5, end-6, end-13, end-14: one upload. */
export async function handleUpload(
  context: Context,
  repository: RepositoryName,
  id: string,
): Promise<void> {
  const { exchange, parts } = context;
  const { uploads } = parts;
  switch (exchange.method) {
    case 'GET':
    case 'HEAD':
      return sendStatus(context, repository, await uploads.status(repository, id), 204);
    case 'PATCH': {
      const range = readContentRange(context);
      const request = uploadRequest(context, repository, id);
      const status = await uploads.append(request, exchange.body, range);
      return sendStatus(context, repository, status, 202);
    }
    case 'PUT': {
      const digest = requireDigest(new URLSearchParams(exchange.query).get('digest') ?? '');
      const request = uploadRequest(context, repository, id);
      await uploads.finish(request, digest, exchange.body, readContentRange(context));
      return sendCreated(context, repository, digest);
    }
    case 'DELETE':
      await uploads.cancel(uploadRequest(context, repository, id));
      return exchange.send({ status: 204, headers: API_VERSION });
    default:
      throw methodNotAllowed(context, 'GET, HEAD, PATCH, PUT, DELETE');
  }
}

function uploadRequest(
  { caller, exchange }: Context,
  repository: RepositoryName,
  id: string,
): UploadRequest {
  return { repository, id, principal: caller.principal, signal: exchange.signal };
}

/** A mount that can't be made is answered by a session, so that the client uploads (distribution-spec, "Mounting"). */
async function mount(
  context: Context,
  repository: RepositoryName,
  query: URLSearchParams,
): Promise<boolean> {
  const digestText = query.get('mount');
  const from = parseRepositoryName(query.get('from') ?? '');
  if (digestText === null || from === undefined) return false;
  const digest = requireDigest(digestText);
  const { gate, blobs } = context.parts;
  // What it may not read, it has to upload.
  if (!gate.mayPull(context.caller, from)) return false;
  if (!(await blobs.mount(digest, from, repository))) return false;
  sendCreated(context, repository, digest);
  return true;
}

function readAlgorithm(query: URLSearchParams, digest: Digest | undefined): DigestAlgorithm {
  const name = query.get('digest-algorithm') ?? digest?.split(':', 1)[0] ?? 'sha256';
  if (isDigestAlgorithm(name)) return name;
  throw new OciError('DIGEST_INVALID', {
    message: 'unsupported digest-algorithm: use sha256 or sha512',
  });
}

function readContentRange(context: Context): ByteRange | undefined {
  const header = context.exchange.header('content-range');
  if (header === undefined) return undefined;
  const range = parseContentRange(header);
  if (range) return range;
  throw new OciError('BLOB_UPLOAD_INVALID', {
    message: 'Content-Range must be FIRST-LAST, both inclusive, as in 0-1048575',
  });
}

function sendStatus(
  context: Context,
  repository: RepositoryName,
  { id, offset }: UploadStatus,
  status: 202 | 204,
): void {
  context.exchange.send({
    status,
    headers: {
      ...API_VERSION,
      Location: `/v2/${repository}/blobs/uploads/${id}`,
      Range: `0-${Math.max(0, offset - 1)}`,
      'Docker-Upload-UUID': id,
    },
  });
}

function sendCreated(context: Context, repository: RepositoryName, digest: Digest): void {
  context.exchange.send({
    status: 201,
    headers: {
      ...API_VERSION,
      Location: `/v2/${repository}/blobs/${digest}`,
      'Docker-Content-Digest': digest,
    },
  });
}
