import type { Access } from '../../auth/access.ts';
import { toAccessError } from '../../auth/access-error.ts';
import { type Credential, readCredential, readPassword } from '../../auth/credential.ts';
import type { IssuedToken, RegistryTokens } from '../../auth/registry-token.ts';
import { decideScopes } from '../../auth/token-endpoint.ts';
import { readScopes } from '../../auth/token-scope.ts';
import { OciError } from '../../oci/error.ts';
import { challengeOf, withChallenge } from '../challenge.ts';
import type { Answer, Exchange } from '../exchange.ts';
import type { Proxies } from '../proxies.ts';

/** Instance identity documents are some KiB long. */
const MAX_FORM_BYTES = 64 * 1024;
/** This is where tokens come from: only a user name and a password, or a token of somebody else, get one. */
const CHALLENGE = challengeOf({ kind: 'basic' });
const HOW = 'log in with the user oauth2 and a token as password (docker login -u oauth2)';

export interface TokenParts {
  readonly access: Access;
  readonly tokens: RegistryTokens;
  readonly proxies: Proxies;
}

/** What is asked for, by either form of the request. */
interface TokenRequest {
  readonly credential: Credential;
  readonly scopes: readonly string[];
}

/**
 * /token: gives a registry token for a credential. GET is what docker, podman, skopeo and crane send, POST is
 * containerd's (distribution's token authentication specification, and its OAuth 2 form). What isn't allowed is no
 * error here: the token lacks it, and says why.
 */
export async function handleToken(exchange: Exchange, parts: TokenParts): Promise<void> {
  const request = await readRequest(exchange);
  if (request === 'cut') return;
  try {
    exchange.send(toAnswer(await issue(request, parts, exchange)));
  } catch (error) {
    throw withChallenge(toAccessError(error), CHALLENGE);
  }
}

async function issue(
  { credential, scopes: values }: TokenRequest,
  { access, tokens, proxies }: TokenParts,
  exchange: Exchange,
): Promise<IssuedToken> {
  if (credential.kind === 'token' && tokens.recognizes(credential.token)) {
    throw new OciError('UNAUTHORIZED', {
      message: `a registry token can not be exchanged for another one: ${HOW}`,
    });
  }
  const caller = await access.authenticate(credential, () => proxies.clientOf(exchange).address);
  const scopes = readScopes(values);
  const { isSecured, allowsPublicRead } = access.settings;
  if (isSecured && !caller.identity && (scopes.isEmpty || !allowsPublicRead)) {
    throw new OciError('UNAUTHORIZED', { message: `there is no credential: ${HOW}` });
  }
  const { granted, refused } = await decideScopes(access, caller, scopes);
  return tokens.issue(caller.identity ?? 'anonymous', granted, refused);
}

function toAnswer({ token, expiresInSeconds, issuedAt }: IssuedToken): Answer {
  return {
    status: 200,
    headers: { 'Content-Type': 'application/json', 'Cache-Control': 'no-store' },
    // Clients read the one or the other of the names.
    body: JSON.stringify({
      token,
      access_token: token,
      expires_in: expiresInSeconds,
      issued_at: issuedAt.toISOString(),
    }),
  };
}

async function readRequest(exchange: Exchange): Promise<TokenRequest | 'cut'> {
  switch (exchange.method) {
    case 'GET':
      return {
        credential: readCredential(exchange.header('authorization')),
        scopes: new URLSearchParams(exchange.query).getAll('scope'),
      };
    case 'POST': {
      const form = await readForm(exchange);
      return form === 'cut' ? 'cut' : readGrant(form);
    }
    default:
      throw new OciError('UNSUPPORTED', {
        message: `${exchange.method} is not supported here: use GET, POST`,
        headers: { Allow: 'GET, POST' },
      });
  }
}

async function readForm(exchange: Exchange): Promise<URLSearchParams | 'cut'> {
  const bytes = (await exchange.body?.readAll(MAX_FORM_BYTES)) ?? new Uint8Array(0);
  if (bytes === 'cut') return 'cut';
  if (bytes === 'too-large') {
    throw new OciError('SIZE_INVALID', {
      status: 413,
      message: `the form is larger than the ${MAX_FORM_BYTES} bytes that are accepted`,
      oauthError: 'invalid_request',
    });
  }
  return new URLSearchParams(Buffer.from(bytes).toString());
}

/**
 * RFC 6749, section 4.3, the one grant that there is here. Refused grants are answered with 404: after it containerd and
 * crane try GET, which knows what is wrong with their credential; other clients never try.
 */
function readGrant(form: URLSearchParams): TokenRequest {
  const grantType = form.get('grant_type');
  const [user, password] = [form.get('username'), form.get('password')];
  if (grantType !== null && grantType !== 'password') {
    throw new OciError('UNSUPPORTED', {
      status: 404,
      message: `this grant_type is not supported, there are no refresh tokens: ${HOW}`,
      oauthError: 'unsupported_grant_type',
    });
  }
  if (grantType === null || user === null || password === null) {
    throw new OciError('UNSUPPORTED', {
      status: 400,
      message:
        'the form needs grant_type=password, username and password, as x-www-form-urlencoded',
      oauthError: 'invalid_request',
    });
  }
  return { credential: readPassword(user, password), scopes: form.getAll('scope') };
}
