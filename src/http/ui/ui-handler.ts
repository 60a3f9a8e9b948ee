import type { Context } from '../context.ts';
import type { Answer } from '../exchange.ts';
import { etagOf, isKnownToClient, methodNotAllowed } from '../handlers/answers.ts';
import { uiFile } from './ui-files.ts';

const PAGE = '/ui/';

/** Scripts, styles and requests are the registry's own; Swagger UI has its icons in data URLs. */
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

/**
 * Swagger UI for browsers; / and /ui lead there. Everybody may read it: it has nothing of what is in the registry.
 * @returns undefined when the path is none of its
 */
export async function uiAnswer(context: Context): Promise<Answer | undefined> {
  const { path } = context.exchange;
  const isShortcut = path === '/' || path === '/ui';
  const file = path.startsWith(PAGE) ? uiFile(path.slice(PAGE.length) || 'index.html') : undefined;
  if (!isShortcut && !file) return undefined;
  if (!['GET', 'HEAD'].includes(context.exchange.method)) {
    throw methodNotAllowed(context, 'GET, HEAD, OPTIONS');
  }
  if (!file) return { status: 302, headers: { Location: PAGE, 'Cache-Control': 'no-store' } };
  const { type, plain, gzip } = await file;
  const isCompressed = gzip !== undefined && acceptsGzip(context);
  const { bytes, digest } = isCompressed ? gzip : plain;
  const headers = {
    'Content-Type': type,
    ETag: etagOf(digest),
    // Kept, and asked about each time: its files have to fit each other, also after an update.
    'Cache-Control': 'no-cache',
    'Content-Security-Policy': POLICY,
    'X-Content-Type-Options': 'nosniff',
    'Referrer-Policy': 'no-referrer',
    ...(gzip ? { Vary: 'Accept-Encoding' } : {}),
    ...(isCompressed ? { 'Content-Encoding': 'gzip' } : {}),
  };
  if (isKnownToClient(context, digest)) return { status: 304, headers };
  return { status: 200, headers, body: bytes };
}

/** RFC 9110, section 12.5.3; what isn't named is left out. */
function acceptsGzip({ exchange }: Context): boolean {
  const codings = (exchange.header('accept-encoding') ?? '').toLowerCase().split(',');
  return codings.some((coding) => /^\s*(x-)?gzip\s*(;\s*q=(1|0\.0*[1-9]).*)?$/.test(coding));
}
