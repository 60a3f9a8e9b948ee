import type { Http } from '../http.ts';
import { type Client, clientHeaders, requestToken, TokenRefused } from './token-request.ts';
import { isFresh, type StoredToken, type TokenStore } from './token-store.ts';

export interface ServiceCredentials {
  readonly username: string;
  readonly password: string;
  readonly client: Client;
}

/** What a push needs as well; who has it not gets a token that may pull. */
const SCOPES = ['uid application.write', 'uid'] as const;

/**
 * A service's token, by its user and client files.
 * @throws TokenRefused; ProviderUnavailable
 */
export async function serviceToken(
  http: Http,
  store: TokenStore,
  endpoint: URL,
  credentials: ServiceCredentials,
): Promise<string> {
  const key = keyOf(endpoint, credentials);
  const kept = await store.get(key).catch(() => undefined);
  if (kept && isFresh(kept, Date.now())) return kept.accessToken;
  const token = await request(http, endpoint, credentials);
  // Where nothing can be written each command asks for a token of its own.
  await store.change(key, async () => withoutRefresh(token)).catch(() => undefined);
  return token.accessToken;
}

async function request(
  http: Http,
  endpoint: URL,
  { username, password, client }: ServiceCredentials,
): Promise<StoredToken> {
  const form = { grant_type: 'password', username, password };
  const [most, least] = SCOPES;
  const headers = clientHeaders(client);
  try {
    return await requestToken(http, endpoint, { ...form, scope: most }, headers);
  } catch (error) {
    if (!(error instanceof TokenRefused) || error.code !== 'invalid_scope') throw error;
    return requestToken(http, endpoint, { ...form, scope: least }, headers);
  }
}

function keyOf(endpoint: URL, { username, client }: ServiceCredentials): string {
  return `service ${endpoint.href} ${client.id} ${username}`;
}

/** The password is at hand: nothing more than needed is kept. */
function withoutRefresh({ accessToken, expiresAt, issuedAt }: StoredToken): StoredToken {
  return { accessToken, expiresAt, issuedAt };
}
