import { clientRefused, json } from './identity-provider-answers.ts';
import type { ProviderAnswer } from './identity-provider-faults.ts';
import { PUBLIC_CLIENT } from './identity-provider-logins.ts';
import type { Principal } from './identity-provider-people.ts';
import type { ProviderRequest } from './identity-provider-request.ts';
import type { ClientCredentials, ProviderState } from './identity-provider-state.ts';
import { TOKEN_LIFETIME_SECONDS } from './identity-provider-tokens.ts';

/** RFC 6749, sections 4.3 and 4.4. */
export function grantToken(
  { headers, body }: ProviderRequest,
  state: ProviderState,
): ProviderAnswer {
  const client = basicCredentials(headers.authorization);
  const form = new URLSearchParams(body);
  if (!client && form.get('client_id') === PUBLIC_CLIENT) return grantToPerson(form, state);
  if (!client) return clientRefused();
  const granted = grant(form, client, state);
  if (typeof granted === 'string') {
    return granted === 'invalid_client' ? clientRefused() : json(400, { error: granted });
  }
  const asked = form.get('scope')?.split(' ').filter(Boolean) ?? granted.scopes;
  if (!asked.every((scope) => granted.scopes.includes(scope))) {
    return json(400, { error: 'invalid_scope' });
  }
  const issued = state.tokens.issue(granted, { scopes: asked });
  return json(200, {
    access_token: issued.token,
    token_type: 'Bearer',
    expires_in: TOKEN_LIFETIME_SECONDS,
    scope: asked.join(' '),
    realm: granted.realm,
  });
}

/** What a program on a person's machine gets, once the person has logged in. */
function grantToPerson(form: URLSearchParams, { logins, tokens }: ProviderState): ProviderAnswer {
  const granted = logins.grant(form) ?? 'unsupported_grant_type';
  if (typeof granted === 'string') return json(400, { error: granted });
  return json(200, {
    access_token: tokens.issue(granted).token,
    token_type: 'Bearer',
    expires_in: TOKEN_LIFETIME_SECONDS,
    refresh_token: logins.issueRefreshToken(granted),
  });
}

/** @returns the code of the refusal when it isn't granted */
function grant(
  form: URLSearchParams,
  client: ClientCredentials,
  state: ProviderState,
): Principal | string {
  const { people } = state;
  switch (form.get('grant_type') ?? '') {
    case 'client_credentials':
      if (!people.hasSecret(client.id, client.secret)) return 'invalid_client';
      return people.principal(client.id);
    case 'password': {
      if (!isClient(client, state)) return 'invalid_client';
      const uid = form.get('username') ?? '';
      if (!people.hasPassword(uid, form.get('password') ?? '')) return 'invalid_grant';
      return people.principal(uid);
    }
    default:
      return 'unsupported_grant_type';
  }
}

export function isClient(
  { id, secret }: ClientCredentials,
  { client, people }: ProviderState,
): boolean {
  return (id === client.id && secret === client.secret) || people.hasSecret(id, secret);
}

/** RFC 6749, section 2.3.1: both parts are form-urlencoded before they are put together. */
export function basicCredentials(header: string | undefined): ClientCredentials | undefined {
  const [, encoded] = /^Basic (\S+)$/i.exec(header ?? '') ?? [];
  if (encoded === undefined) return undefined;
  const text = Buffer.from(encoded, 'base64').toString();
  const colon = text.indexOf(':');
  if (colon < 0) return undefined;
  const decode = (part: string) => new URLSearchParams(`part=${part}`).get('part') ?? '';
  return { id: decode(text.slice(0, colon)), secret: decode(text.slice(colon + 1)) };
}
