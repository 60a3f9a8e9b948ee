import type { Exchange } from '../exchange.ts';
import type { Proxies } from '../proxies.ts';

/** What browsers of other origins may do (Fetch, "CORS protocol"), and that they come back by HTTPS, where it is spoken. */
export function restHeaders(exchange: Exchange, proxies: Proxies): Record<string, string> {
  const wanted = exchange.header('access-control-request-headers');
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
