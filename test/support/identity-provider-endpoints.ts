import { bearerRefused, clientRefused, json } from './identity-provider-answers.ts';
import type { ProviderAnswer } from './identity-provider-faults.ts';
import { basicCredentials, grantToken, isClient } from './identity-provider-grants.ts';
import {
  APPLICATION,
  PATHS,
  type ProviderEndpoint,
  type ProviderRequest,
  urlOf,
} from './identity-provider-request.ts';
import type { ProviderState } from './identity-provider-state.ts';
import type { OpaqueToken } from './identity-provider-tokens.ts';

type Answerer = (
  request: ProviderRequest,
  state: ProviderState,
) => ProviderAnswer | Promise<ProviderAnswer>;

const METHODS: Readonly<Record<ProviderEndpoint, string>> = {
  tokeninfo: 'GET',
  introspection: 'POST',
  discovery: 'GET',
  jwks: 'GET',
  teams: 'GET',
  applications: 'GET',
  iidinfo: 'POST',
  token: 'POST',
  authorize: 'GET',
  device: 'POST',
  unknown: 'GET',
};

const ANSWERERS: Readonly<Record<ProviderEndpoint, Answerer>> = {
  tokeninfo,
  introspection,
  discovery: (_, { issuer }) => json(200, discoveryOf(issuer)),
  jwks: (_, { keys }) => json(200, keys.published),
  teams,
  applications,
  iidinfo,
  token: grantToken,
  authorize: (request, { logins, issuer }) => logins.authorize(request, issuer),
  device: (request, { logins, issuer }) => logins.beginDevice(request, issuer),
  unknown: () => json(404, { error: 'not_found' }),
};

/** The right answer. */
export async function answerOf(
  request: ProviderRequest,
  state: ProviderState,
): Promise<ProviderAnswer> {
  const { endpoint, method } = request;
  if (method !== METHODS[endpoint]) return json(405, { error: 'method_not_allowed' });
  return ANSWERERS[endpoint](request, state);
}

function tokeninfo({ target }: ProviderRequest, { tokens }: ProviderState): ProviderAnswer {
  const found = tokens.find(urlOf(target).searchParams.get('access_token') ?? '');
  if (!found) {
    const description = 'Access Token not valid';
    return json(400, { error: 'invalid_request', error_description: description });
  }
  const { token, principal, scopes, claims } = found;
  return json(200, {
    access_token: token,
    uid: principal.uid,
    realm: principal.realm,
    scope: scopes,
    grant_type: 'password',
    token_type: 'Bearer',
    expires_in: secondsLeft(found),
    ...claims,
  });
}

/** RFC 7662. */
function introspection({ headers, body }: ProviderRequest, state: ProviderState): ProviderAnswer {
  const client = basicCredentials(headers.authorization);
  if (!client || !isClient(client, state)) return clientRefused();
  const found = state.tokens.find(new URLSearchParams(body).get('token') ?? '');
  if (!found) return json(200, { active: false });
  const { principal, scopes, audience, claims, issuedAt, expiresAt } = found;
  return json(200, {
    active: true,
    sub: principal.uid,
    username: principal.uid,
    scope: scopes.join(' '),
    realm: principal.realm,
    client_id: state.client.id,
    token_type: 'Bearer',
    iss: state.issuer,
    aud: audience ?? state.audience,
    iat: issuedAt,
    exp: expiresAt,
    ...claims,
  });
}

/** OpenID Connect Discovery 1.0, section 3. */
function discoveryOf(issuer: string) {
  return {
    issuer,
    authorization_endpoint: `${issuer}${PATHS.authorize}`,
    token_endpoint: `${issuer}${PATHS.token}`,
    device_authorization_endpoint: `${issuer}${PATHS.device}`,
    introspection_endpoint: `${issuer}${PATHS.introspection}`,
    jwks_uri: `${issuer}${PATHS.jwks}`,
    response_types_supported: ['code'],
    code_challenge_methods_supported: ['S256'],
    authorization_response_iss_parameter_supported: true,
    subject_types_supported: ['public'],
    id_token_signing_alg_values_supported: ['RS256', 'ES256'],
    grant_types_supported: [
      'client_credentials',
      'password',
      'authorization_code',
      'refresh_token',
      'urn:ietf:params:oauth:grant-type:device_code',
    ],
    token_endpoint_auth_methods_supported: ['client_secret_basic', 'none'],
  };
}

/** The team service: an array of accounts, empty for whoever has none. */
async function teams(request: ProviderRequest, state: ProviderState): Promise<ProviderAnswer> {
  if (!(await hasBearer(request, state))) return bearerRefused();
  const member = urlOf(request.target).searchParams.get('member');
  if (member === null) return json(400, { error: 'invalid_request' });
  return json(200, state.people.teamsOf(member));
}

/** Kio. */
async function applications(
  request: ProviderRequest,
  state: ProviderState,
): Promise<ProviderAnswer> {
  if (!(await hasBearer(request, state))) return bearerRefused();
  const [, name = ''] = APPLICATION.exec(urlOf(request.target).pathname) ?? [];
  const application = state.people.application(decodeURIComponent(name));
  return application ? json(200, application) : json(404, { message: 'Not Found' });
}

function iidinfo({ headers, body }: ProviderRequest, { instances }: ProviderState): ProviderAnswer {
  const isJson = headers['content-type']?.startsWith('application/json');
  const pkcs7 = isJson ? memberOf(body, 'iid_signature') : undefined;
  if (typeof pkcs7 !== 'string') return json(400, { error: 'invalid_request' });
  const document = instances.find(pkcs7);
  return document ? json(200, document) : json(403, { error: 'access_denied' });
}

/** Of a token that is valid, opaque or a JWT. */
async function hasBearer({ headers }: ProviderRequest, state: ProviderState): Promise<boolean> {
  const [, bearer] = /^Bearer (\S+)$/i.exec(headers.authorization ?? '') ?? [];
  if (bearer === undefined) return false;
  if (state.tokens.find(bearer)) return true;
  return (await state.keys.verify(bearer, state.issuer)) !== undefined;
}

/** undefined as well for what isn't JSON. */
function memberOf(body: string, name: string): unknown {
  try {
    const value: unknown = JSON.parse(body);
    return new Map<string, unknown>(Object.entries(value ?? {})).get(name);
  } catch {
    return undefined;
  }
}

function secondsLeft({ expiresAt }: OpaqueToken): number {
  return Math.ceil(expiresAt - Date.now() / 1000);
}
