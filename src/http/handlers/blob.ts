import { type ByteRange, parseRange } from '../../oci/byte-range.ts';
import type { Digest } from '../../oci/digest.ts';
import { OciError } from '../../oci/error.ts';
import type { RepositoryName } from '../../oci/repository-name.ts';
import type { BlobContent } from '../../registry/blobs.ts';
import type { Context } from '../context.ts';
import type { Exchange } from '../exchange.ts';
import { sendAndKeep } from '../kept-answers.ts';
import { multipartRanges, sumOf } from '../multipart-ranges.ts';
import {
  API_VERSION,
  cacheForEver,
  etagOf,
  isKnownToClient,
  methodNotAllowed,
  requireDigest,
} from './answers.ts';

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
      const blob = await parts.blobs.find(repository, digest);
      const link = exchange.method === 'GET' ? await blob.link() : undefined;
      if (link === undefined) return sendBlob(context, repository, digest, blob);
      return redirect(context, digest, link);
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

/** The store knows ranges; conditions don't apply to a redirect (RFC 9110, section 13.2.1). The URL opens the blob to everyone. */
function redirect({ exchange }: Context, digest: Digest, link: string): void {
  exchange.send({
    status: 307,
    headers: {
      ...API_VERSION,
      Location: link,
      'Docker-Content-Digest': digest,
      'Cache-Control': 'no-store',
    },
  });
}

async function sendBlob(
  context: Context,
  repository: RepositoryName,
  digest: Digest,
  blob: BlobContent,
): Promise<void> {
  const { exchange, parts } = context;
  const { sizeBytes } = blob;
  const headers = {
    ...API_VERSION,
    'Content-Type': 'application/octet-stream',
    'Docker-Content-Digest': digest,
    'Accept-Ranges': 'bytes',
    ETag: etagOf(digest),
    'Cache-Control': cacheForEver(context),
  };
  if (isKnownToClient(context, digest)) {
    exchange.send({ status: 304, headers });
    return;
  }
  if (exchange.method === 'HEAD') {
    const answer = { status: 200, headers: { ...headers, 'Content-Length': String(sizeBytes) } };
    sendAndKeep(context, 'blob', repository, answer);
    return;
  }
  const ranges = readRanges(exchange, digest, sizeBytes);
  if (ranges.length === 0 && blob.whole) {
    const { bytes: body, isIntact } = await blob.whole();
    // What a damaged store gave is sent like all of it, and the client finds out; it must not stay when it is mended.
    if (isIntact) sendAndKeep(context, 'blob', repository, { status: 200, headers, body });
    else exchange.send({ status: 200, headers, body });
    parts.metrics.downloadedBytes.inc(sizeBytes);
    return;
  }
  const { answer, lengthBytes, chunks } = answerRanges(headers, ranges, blob);
  const sent = await exchange.stream(answer, lengthBytes, chunks);
  parts.metrics.downloadedBytes.inc(sent);
}

/** No ranges: the whole. One is the body as it is, several are parts of it. */
function answerRanges(
  headers: Readonly<Record<string, string>>,
  ranges: readonly ByteRange[],
  blob: BlobContent,
) {
  const { sizeBytes } = blob;
  const [range, ...others] = ranges;
  if (!range) {
    const whole = { first: 0, last: sizeBytes - 1 };
    return { answer: { status: 200, headers }, lengthBytes: sizeBytes, chunks: blob.read(whole) };
  }
  if (others.length === 0) {
    const contentRange = `bytes ${range.first}-${range.last}/${sizeBytes}`;
    return {
      answer: { status: 206, headers: { ...headers, 'Content-Range': contentRange } },
      lengthBytes: sumOf(ranges),
      chunks: blob.read(range),
    };
  }
  const { contentType, ...parts } = multipartRanges(ranges, sizeBytes, (one) => blob.read(one));
  return {
    answer: { status: 206, headers: { ...headers, 'Content-Type': contentType } },
    ...parts,
  };
}

/** The ranges that are asked for. Where they are more than the whole, or it changed meanwhile, that is sent: none. */
function readRanges(exchange: Exchange, digest: Digest, sizeBytes: number): readonly ByteRange[] {
  const ifRange = exchange.header('if-range');
  if (ifRange !== undefined && ifRange !== etagOf(digest)) return [];
  const request = parseRange(exchange.header('range'), sizeBytes);
  if (request.kind === 'unsatisfiable') {
    throw new OciError('UNSUPPORTED', {
      status: 416,
      message: `the range lies outside of the blob, which has ${sizeBytes} bytes`,
      headers: { 'Content-Range': `bytes */${sizeBytes}` },
    });
  }
  if (request.kind === 'whole') return [];
  const { ranges } = request;
  return ranges.length > 1 && sumOf(ranges) > sizeBytes ? [] : ranges;
}
