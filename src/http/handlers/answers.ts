import { type Digest, parseDigest } from '../../oci/digest.ts';
import { OciError } from '../../oci/error.ts';
import type { Context } from '../context.ts';
import type { Answer } from '../exchange.ts';

/** On every answer below /v2/: old clients look for the first; what is answered can depend on who asks. */
export const API_VERSION = {
  'Docker-Distribution-Api-Version': 'registry/2.0',
  Vary: 'Authorization',
};

/** Refuses a method, and names those that there are (RFC 9110, section 15.5.6). */
export function methodNotAllowed(context: Context, allowed: string, message?: string): OciError {
  const { method } = context.exchange;
  return new OciError('UNSUPPORTED', {
    message: message ?? `${method} is not supported here: use ${allowed}`,
    headers: { Allow: allowed },
  });
}

/** @throws OciError UNSUPPORTED for what isn't a read */
export function requireRead(context: Context): void {
  const { method } = context.exchange;
  if (method !== 'GET' && method !== 'HEAD') throw methodNotAllowed(context, 'GET, HEAD');
}

/** @throws OciError DIGEST_INVALID */
export function requireDigest(text: string): Digest {
  const digest = parseDigest(text);
  if (digest !== undefined) return digest;
  throw new OciError('DIGEST_INVALID', {
    message: `${text === '' ? 'the digest is missing from the query' : 'invalid digest'}: write sha256: and 64, or sha512: and 128, lower-case hex digits`,
    detail: { digest: text.slice(0, 200) },
  });
}

/**
 * The conditions of a read (RFC 9110, section 13.2.2); content has its digest in quotes as ETag.
 * @returns true when the client has it already, which is answered by 304
 * @throws OciError with status 412 when it asks for something else than there is
 */
export function isKnownToClient(context: Context, digest: Digest): boolean {
  const { exchange } = context;
  const ifMatch = exchange.header('if-match');
  if (ifMatch !== undefined && !listsEtag(ifMatch, digest)) {
    throw new OciError('UNSUPPORTED', {
      status: 412,
      message: `If-Match names something else than what is here, whose ETag is ${etagOf(digest)}: read it again`,
    });
  }
  // Here weak ETags are as good as strong ones.
  const ifNoneMatch = exchange.header('if-none-match')?.replaceAll('W/', '');
  return ifNoneMatch !== undefined && listsEtag(ifNoneMatch, digest);
}

function listsEtag(header: string, digest: Digest): boolean {
  if (header.trim() === '*') return true;
  return header.split(',').some((etag) => etag.trim() === etagOf(digest));
}

/** For content that has its digest in its address; shared caches keep none that a credential was needed for. */
export function cacheForEver({ parts }: Context): string {
  return `${parts.gate.isClosed ? 'private, ' : ''}max-age=31536000, immutable`;
}

export function etagOf(digest: Digest): string {
  return `"${digest}"`;
}

export function sendJson(
  context: Context,
  body: unknown,
  headers: Record<string, string> = {},
): void {
  context.exchange.send(jsonAnswer(body, headers));
}

export function jsonAnswer(body: unknown, headers: Readonly<Record<string, string>>): Answer {
  return {
    status: 200,
    headers: {
      ...API_VERSION,
      'Content-Type': 'application/json',
      'Cache-Control': 'no-store',
      ...headers,
    },
    body: JSON.stringify(body),
  };
}
