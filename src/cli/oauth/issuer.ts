import type { Http } from '../http.ts';
import { textOf } from '../json.ts';
import { askJson, ProviderUnavailable } from './token-request.ts';

/** What an issuer says of itself. */
export interface Issuer {
  /** As its tokens name it. */
  readonly name: string;
  readonly tokenEndpoint: URL;
  readonly authorizationEndpoint?: URL;
  readonly deviceEndpoint?: URL;
  readonly scopes: readonly string[];
  /** Its redirects say who they are from (RFC 9207). */
  readonly namesItself: boolean;
}

const LOOPBACK = /^(localhost|127(\.\d+){3}|\[::1\])$/;

/** OpenID Connect Discovery 1.0, section 4. @throws ProviderUnavailable */
export async function discover(http: Http, name: string): Promise<Issuer> {
  const base = name.replace(/\/+$/, '');
  const address = `${base}/.well-known/openid-configuration`;
  if (!URL.canParse(address)) throw new ProviderUnavailable(`${name} is no URL`);
  requireSafe(new URL(address));
  const { status, body } = await askJson(http, new URL(address));
  if (status !== 200) throw new ProviderUnavailable(`${address} answers with status ${status}`);
  if (textOf(body, 'issuer')?.replace(/\/+$/, '') !== base) {
    throw new ProviderUnavailable(`${address} is of another issuer than ${name}`);
  }
  const tokenEndpoint = endpointOf(body, 'token_endpoint');
  if (!tokenEndpoint) throw new ProviderUnavailable(`${address} names no token_endpoint`);
  const authorizationEndpoint = endpointOf(body, 'authorization_endpoint');
  const deviceEndpoint = endpointOf(body, 'device_authorization_endpoint');
  const scopes = body['scopes_supported'];
  return {
    name: textOf(body, 'issuer') ?? name,
    tokenEndpoint,
    ...(authorizationEndpoint && { authorizationEndpoint }),
    ...(deviceEndpoint && { deviceEndpoint }),
    scopes: Array.isArray(scopes) ? scopes.filter((scope) => typeof scope === 'string') : [],
    namesItself: body['authorization_response_iss_parameter_supported'] === true,
  };
}

function endpointOf(body: Record<string, unknown>, name: string): URL | undefined {
  const text = textOf(body, name);
  if (text === undefined || !URL.canParse(text)) return undefined;
  return requireSafe(new URL(text));
}

/** Secrets go there. @throws ProviderUnavailable for what isn't HTTPS, nor on this machine */
function requireSafe(url: URL): URL {
  const isLocal = url.protocol === 'http:' && LOOPBACK.test(url.hostname);
  if (url.protocol === 'https:' || isLocal) return url;
  throw new ProviderUnavailable(`${url.origin} must be https://`);
}
