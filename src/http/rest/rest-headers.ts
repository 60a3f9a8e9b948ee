import type { Exchange } from '../exchange.ts';
import type { Proxies } from '../proxies.ts';

/** Names of headers, as they can be sent back: up to some kilobytes. */
const NAMES = /^[\w!#$%&'*+.^`|~, -]{1,4000}$/;

/** What browsers of other origins may do (Fetch, "CORS protocol"), and that they come back by HTTPS, where it is spoken. */
export function restHeaders(exchange: Exchange, proxies: Proxies): Record<string, string> {
  const wanted = NAMES.exec(exchange.header('access-control-request-headers') ?? '')?.[0];
  const isSecure = proxies.clientOf(exchange).origin?.startsWith('https:') ?? false;
  return {
    'Access-Control-Allow-Origin': '*',
    'Access-Control-Max-Age': '3600',
    'Access-Control-Allow-Methods': 'GET, POST, DELETE, PUT, PATCH, OPTIONS',
    'Access-Control-Expose-Headers': 'Link, X-Request-Id',
    ...(wanted === undefined ? {} : { 'Access-Control-Allow-Headers': wanted }),
    // RFC 6797, section 7.2: not over plain HTTP.
    ...(isSecure ? { 'Strict-Transport-Security': 'max-age=10886400' } : {}),
  };
}
