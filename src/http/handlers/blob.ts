import { type ByteRange, parseRange } from '../../oci/byte-range.ts';
import type { Digest } from '../../oci/digest.ts';
import { OciError } from '../../oci/error.ts';
import type { RepositoryName } from '../../oci/repository-name.ts';
import type { BlobContent } from '../../registry/blobs.ts';
import type { Context } from '../context.ts';
import { API_VERSION, etagOf, matchesEtag, methodNotAllowed, requireDigest } from './answers.ts';

/** end-2: the bytes of a blob, whole or a range of them. */
export async function handleBlob(
  context: Context,
  repository: RepositoryName,
  digestText: string,
): Promise<void> {
  const { exchange, parts } = context;
  switch (exchange.method) {
    case 'GET':
    case 'HEAD': {
      const digest = requireDigest(digestText);
      return sendBlob(context, digest, await parts.blobs.find(repository, digest));
    }
    case 'DELETE':
      throw methodNotAllowed(
        context,
        'GET, HEAD',
        'blobs are never deleted by clients, so that every deployment can be traced',
      );
    default:
      throw methodNotAllowed(context, 'GET, HEAD');
  }
}

async function sendBlob(context: Context, digest: Digest, blob: BlobContent): Promise<void> {
  const { exchange, parts } = context;
  const { sizeBytes } = blob;
  const headers = {
    ...API_VERSION,
    'Content-Type': 'application/octet-stream',
    'Docker-Content-Digest': digest,
    'Accept-Ranges': 'bytes',
    ETag: etagOf(digest),
    'Cache-Control': 'max-age=31536000, immutable',
  };
  if (matchesEtag(exchange.header('if-none-match'), digest)) {
    exchange.send({ status: 304, headers });
    return;
  }
  if (exchange.method === 'HEAD') {
    exchange.send({ status: 200, headers: { ...headers, 'Content-Length': String(sizeBytes) } });
    return;
  }
  const range = readRange(exchange.header('range'), sizeBytes);
  const { first, last } = range ?? { first: 0, last: sizeBytes - 1 };
  const answer = range
    ? {
        status: 206,
        headers: { ...headers, 'Content-Range': `bytes ${first}-${last}/${sizeBytes}` },
      }
    : { status: 200, headers };
  const sent = await exchange.stream(answer, last - first + 1, blob.read({ first, last }));
  parts.metrics.downloadedBytes.inc(sent);
}

/** The one range that is asked for; several are answered with the whole, which RFC 9110 allows. */
function readRange(header: string | undefined, sizeBytes: number): ByteRange | undefined {
  const request = parseRange(header, sizeBytes);
  if (request.kind === 'unsatisfiable') {
    throw new OciError('UNSUPPORTED', {
      status: 416,
      message: `the range lies outside of the blob, which has ${sizeBytes} bytes`,
      headers: { 'Content-Range': `bytes */${sizeBytes}` },
    });
  }
  return request.kind === 'ranges' && request.ranges.length === 1 ? request.ranges[0] : undefined;
}
