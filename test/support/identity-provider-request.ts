import type { IncomingHttpHeaders } from 'node:http';

export type ProviderEndpoint =
  | 'tokeninfo'
  | 'introspection'
  | 'discovery'
  | 'jwks'
  | 'teams'
  | 'applications'
  | 'iidinfo'
  | 'token'
  | 'authorize'
  | 'device'
  /** Whatever else is asked. */
  | 'unknown';

/** A request to the provider, body and all. */
export interface ProviderRequest {
  readonly endpoint: ProviderEndpoint;
  readonly method: string;
  /** Path and query, as they came. */
  readonly target: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

export const PATHS = {
  tokeninfo: '/oauth2/tokeninfo',
  introspection: '/oauth2/introspect',
  discovery: '/.well-known/openid-configuration',
  jwks: '/oauth2/jwks',
  teams: '/api/accounts/aws',
  iidinfo: '/iidinfo',
  token: '/oauth2/token',
  authorize: '/oauth2/authorize',
  device: '/oauth2/device_authorization',
} as const;
/** Kio's. */
export const APPLICATION = /^\/apps\/([^/]+)$/;

const ENDPOINTS = [
  'tokeninfo',
  'introspection',
  'discovery',
  'jwks',
  'teams',
  'iidinfo',
  'token',
  'authorize',
  'device',
] as const;

export function endpointOf(target: string): ProviderEndpoint {
  const { pathname } = urlOf(target);
  if (APPLICATION.test(pathname)) return 'applications';
  const known = ENDPOINTS.find((name) => name in PATHS && PATHS[name] === pathname);
  return known ?? 'unknown';
}

export function urlOf(target: string): URL {
  return new URL(target, 'http://provider.invalid');
}
