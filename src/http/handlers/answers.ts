import { type Digest, parseDigest } from '../../oci/digest.ts';
import { OciError } from '../../oci/error.ts';
import type { Context } from '../context.ts';

/** On every answer below /v2/: old clients look for it. */
export const API_VERSION = { 'Docker-Distribution-Api-Version': 'registry/2.0' };

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
    message: 'invalid digest: write sha256: and 64, or sha512: and 128, lower-case hex digits',
    detail: { digest: text.slice(0, 200) },
  });
}

/** An ETag of content: its digest in quotes. True when If-None-Match names it (RFC 9110, section 13.1.2). */
export function matchesEtag(ifNoneMatch: string | undefined, digest: Digest): boolean {
  if (ifNoneMatch === undefined) return false;
  if (ifNoneMatch.trim() === '*') return true;
  return ifNoneMatch.split(',').some((etag) => etag.trim().replace(/^W\//, '') === `"${digest}"`);
}

export function etagOf(digest: Digest): string {
  return `"${digest}"`;
}

export function sendJson(
  context: Context,
  body: unknown,
  headers: Record<string, string> = {},
): void {
  context.exchange.send({
    status: 200,
    headers: {
      ...API_VERSION,
      'Content-Type': 'application/json',
      'Cache-Control': 'no-store',
      ...headers,
    },
    body: JSON.stringify(body),
  });
}
