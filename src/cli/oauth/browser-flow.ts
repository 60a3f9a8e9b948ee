import { createHash, randomBytes } from 'node:crypto';
import { EventEmitter, once } from 'node:events';
import { createServer, type Server, type ServerResponse } from 'node:http';
import type { Http } from '../http.ts';
import type { Issuer } from './issuer.ts';
import {
  type Client,
  clientFields,
  clientHeaders,
  ProviderUnavailable,
  printable,
  requestToken,
  TokenRefused,
} from './token-request.ts';
import type { StoredToken } from './token-store.ts';

const TIMEOUT_MS = 5 * 60_000;
const PATH = '/callback';
const ORIGIN = 'http://127.0.0.1';

export interface BrowserFlow {
  readonly http: Http;
  readonly issuer: Issuer;
  readonly client: Client;
  readonly scope: string;
  /** Shows the page to the user. */
  readonly open: (url: URL) => Promise<void>;
}

/** What the redirect brings: a code, or why there is none. */
class Answer extends EventEmitter<{ answer: [code: string | Error] }> {
  #answer: string | Error | undefined;

  give(answer: string | Error): void {
    this.#answer ??= answer;
    this.emit('answer', answer);
  }

  /** @throws TokenRefused */
  async code(): Promise<string> {
    const signal = AbortSignal.timeout(TIMEOUT_MS);
    if (this.#answer === undefined) await once(this, 'answer', { signal }).catch(() => undefined);
    if (typeof this.#answer === 'string') return this.#answer;
    throw this.#answer ?? new TokenRefused('timeout', 'nobody logged in within five minutes');
  }
}

/**
 * The code flow with PKCE (RFC 7636), and a redirect to this machine (RFC 8252): the user logs in in a browser.
 * @throws TokenRefused; ProviderUnavailable
 */
export async function logInByBrowser(flow: BrowserFlow): Promise<StoredToken> {
  const { http, issuer, client, scope, open } = flow;
  const page = issuer.authorizationEndpoint;
  if (!page) throw new ProviderUnavailable(`${issuer.name} has no page to log in at`);
  const verifier = draw();
  const state = draw();
  const answer = new Answer();
  const server = await listen(state, issuer.namesItself ? issuer.name : undefined, answer);
  try {
    const redirect = `http://127.0.0.1:${portOf(server)}${PATH}`;
    const url = new URL(page);
    const query = {
      response_type: 'code',
      ...clientFields(client),
      redirect_uri: redirect,
      scope,
      state,
      code_challenge: createHash('sha256').update(verifier).digest('base64url'),
      code_challenge_method: 'S256',
    };
    for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value);
    await open(url);
    const form = {
      ...clientFields(client),
      grant_type: 'authorization_code',
      code: await answer.code(),
      redirect_uri: redirect,
      code_verifier: verifier,
    };
    return await requestToken(http, issuer.tokenEndpoint, form, clientHeaders(client));
  } finally {
    server.close();
    server.closeAllConnections();
  }
}

/** @param issuer who has to send it (RFC 9207); undefined where it doesn't say */
async function listen(state: string, issuer: string | undefined, answer: Answer): Promise<Server> {
  const server = createServer((request, response) => {
    const target = request.url ?? '/';
    // Others may ask for anything, for what is no URL too.
    const url = URL.canParse(target, ORIGIN) ? new URL(target, ORIGIN) : undefined;
    if (request.method !== 'GET' || url?.pathname !== PATH)
      reply(response, 404, 'There is nothing here.');
    else receive(url.searchParams, response, { state, issuer, answer });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return server;
}

/** Whoever doesn't know the state is not who was sent to log in, and ends nothing. */
function receive(
  query: URLSearchParams,
  response: ServerResponse,
  {
    state,
    issuer,
    answer,
  }: { readonly state: string; readonly issuer: string | undefined; readonly answer: Answer },
): void {
  if (query.get('state') !== state) {
    reply(response, 400, 'This is not an answer to the login that waits here.');
    return;
  }
  if (issuer !== undefined && query.get('iss') !== issuer) {
    reply(response, 400, 'This is an answer of another issuer.');
    return;
  }
  const code = query.get('code');
  if (code !== null && code !== '') {
    reply(response, 200, 'You are logged in. Close this window, and go back to the terminal.', () =>
      answer.give(code),
    );
    return;
  }
  const description = query.get('error_description') ?? undefined;
  const error = new TokenRefused(
    printable(query.get('error') ?? 'no code'),
    printable(description),
  );
  reply(response, 400, 'The login was refused. The terminal says more.', () => answer.give(error));
}

/** @param onSent when the browser has the page: the server ends soon after */
function reply(response: ServerResponse, status: number, text: string, onSent?: () => void): void {
  if (onSent) response.once('close', onSent);
  response.writeHead(status, {
    'content-type': 'text/html; charset=utf-8',
    'cache-control': 'no-store',
    'content-security-policy': "default-src 'none'",
    'referrer-policy': 'no-referrer',
    connection: 'close',
  });
  response.end(`<!DOCTYPE html><meta charset="utf-8"><title>Pier One</title><p>${text}</p>\n`);
}

function portOf(server: Server): number {
  const address = server.address();
  if (typeof address !== 'object' || address === null) throw new TypeError('no port');
  return address.port;
}

function draw(): string {
  return randomBytes(32).toString('base64url');
}
