import type { Http } from '../http.ts';
import type { Settings } from '../settings.ts';
import {
  type Client,
  clientFields,
  clientHeaders,
  requestToken,
  TokenRefused,
} from './token-request.ts';
import { isFresh, type StoredToken, type TokenStore } from './token-store.ts';

/** Where people log in. */
export interface IssuerSettings {
  readonly issuer: string;
  readonly client: Client;
  /** Instead of what is usual. */
  readonly scope: string | undefined;
}

const DEFAULT_CLIENT_ID = 'pierone';

/** undefined where no issuer is configured */
export function issuerSettings(settings: Settings): IssuerSettings | undefined {
  const issuer = settings.get('oidc_issuer');
  if (issuer === undefined) return undefined;
  const id = settings.get('oidc_client_id') ?? DEFAULT_CLIENT_ID;
  const secret = settings.get('oidc_client_secret');
  const client = { id, ...(secret !== undefined && { secret }) };
  return { issuer, client, scope: settings.get('oidc_scope') };
}

export function issuerKey({ issuer, client }: IssuerSettings): string {
  return `login ${issuer.replace(/\/+$/, '')} ${client.id}`;
}

/**
 * The token of an earlier login, renewed where that is needed and possible.
 * @returns undefined when there is none, or it is over
 * @throws ProviderUnavailable
 */
export async function issuerToken(
  http: Http,
  store: TokenStore,
  settings: IssuerSettings,
): Promise<string | undefined> {
  const key = issuerKey(settings);
  const token = await store.get(key);
  if (!token) return undefined;
  if (isFresh(token, Date.now())) return token.accessToken;
  // Alone: a refresh token that is good for one use must not be used twice.
  const renewed = await store.change(key, (current) => renew(http, settings, current));
  return renewed?.accessToken;
}

async function renew(
  http: Http,
  { client }: IssuerSettings,
  token: StoredToken | undefined,
): Promise<StoredToken | undefined> {
  if (!token || isFresh(token, Date.now())) return token;
  const { refreshToken, tokenEndpoint } = token;
  if (refreshToken === undefined || tokenEndpoint === undefined) return usable(token);
  const form = {
    ...clientFields(client),
    grant_type: 'refresh_token',
    refresh_token: refreshToken,
  };
  try {
    const renewed = await requestToken(http, new URL(tokenEndpoint), form, clientHeaders(client));
    return { refreshToken, tokenEndpoint, ...renewed };
  } catch (error) {
    if (error instanceof TokenRefused) return usable(token, error.code === 'invalid_grant');
    // It may well be good for some minutes yet.
    if (usable(token)) return token;
    throw error;
  }
}

/** Up to its end, where it can't be renewed. */
function usable(token: StoredToken, isRefreshOver = false): StoredToken | undefined {
  if (Date.now() >= token.expiresAt) return undefined;
  if (!isRefreshOver) return token;
  const { accessToken, expiresAt, issuedAt } = token;
  return { accessToken, expiresAt, issuedAt };
}
