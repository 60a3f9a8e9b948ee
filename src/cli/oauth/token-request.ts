import { CliError, ConnectionError, EXIT } from '../errors.ts';
import type { Http, HttpAnswer, HttpRequest } from '../http.ts';
import { parseObject, textOf } from '../json.ts';
import type { StoredToken } from './token-store.ts';

export interface Client {
  readonly id: string;
  readonly secret?: string;
}

/** The identity provider's answer that no token is given: its code (RFC 6749, section 5.2), and its words. */
export class TokenRefused extends CliError {
  override readonly name = 'TokenRefused';
  readonly code: string;

  constructor(code: string, description: string | undefined) {
    const reason = description === undefined ? code : `${code}: ${description}`;
    super(`The identity provider gives no token (${reason}).`, EXIT.notLoggedIn);
    this.code = code;
  }
}

/** There is no answer, or none that can be understood. */
export class ProviderUnavailable extends CliError {
  override readonly name = 'ProviderUnavailable';

  constructor(problem: string, options: ErrorOptions = {}) {
    super(`${problem}: the identity provider can't be asked.`, EXIT.unavailable, options);
  }
}

const TIMEOUT_MS = 10_000;
const MAX_BODY_BYTES = 1024 * 1024;
/** Where the answer doesn't say: short, so that it is asked again rather than used for too long. */
const DEFAULT_LIFETIME_SECONDS = 300;

export interface Answer {
  readonly status: number;
  readonly body: Record<string, unknown>;
}

/** @param form sends it, where there is one; secrets in it don't follow redirects. @throws ProviderUnavailable */
export async function askJson(
  http: Http,
  url: URL,
  form?: Readonly<Record<string, string>>,
  headers: Readonly<Record<string, string>> = {},
): Promise<Answer> {
  const type = form && { 'Content-Type': 'application/x-www-form-urlencoded' };
  const place = `${url.origin}${url.pathname}`;
  const { status, text } = await send(http, {
    method: form ? 'POST' : 'GET',
    url,
    headers: { Accept: 'application/json', ...type, ...headers },
    ...(form && { body: new URLSearchParams(form).toString() }),
    idleTimeoutMs: TIMEOUT_MS,
  });
  const body = parseObject(text);
  if (!body || status >= 500 || (status >= 300 && status < 400)) {
    const kind = body ? '' : ', and no JSON';
    throw new ProviderUnavailable(`${place} answers with status ${status}${kind}`);
  }
  return { status, body };
}

async function send(http: Http, request: HttpRequest): Promise<{ status: number; text: string }> {
  try {
    const answer = await http.send(request);
    return { status: answer.status, text: await readText(answer) };
  } catch (error) {
    if (!(error instanceof ConnectionError)) throw error;
    const [problem = ''] = error.message.split(': ', 1);
    throw new ProviderUnavailable(problem, { cause: error });
  }
}

async function readText({ body }: HttpAnswer): Promise<string> {
  const pieces: Uint8Array[] = [];
  let bytes = 0;
  for await (const piece of body) {
    bytes += piece.length;
    if (bytes > MAX_BODY_BYTES) throw new ConnectionError('The answer is too long.');
    pieces.push(piece);
  }
  return Buffer.concat(pieces).toString();
}

/** @throws TokenRefused; ProviderUnavailable */
export async function requestToken(
  http: Http,
  endpoint: URL,
  form: Readonly<Record<string, string>>,
  headers: Readonly<Record<string, string>> = {},
): Promise<StoredToken> {
  const issuedAt = Date.now();
  const { status, body } = await askJson(http, endpoint, form, headers);
  const accessToken = textOf(body, 'access_token');
  if (status !== 200 || accessToken === undefined) throw refusalOf(status, body);
  const seconds = Number(body['expires_in'] ?? DEFAULT_LIFETIME_SECONDS);
  const refreshToken = textOf(body, 'refresh_token');
  return {
    accessToken,
    issuedAt,
    expiresAt: issuedAt + (Number.isFinite(seconds) ? seconds : DEFAULT_LIFETIME_SECONDS) * 1000,
    ...(refreshToken !== undefined && { refreshToken, tokenEndpoint: endpoint.href }),
  };
}

/** By the form's fields for a public client, as RFC 8252 wants it; Basic for one with a secret. */
export function clientFields({ id }: Client): Record<string, string> {
  return { client_id: id };
}

export function clientHeaders({ id, secret }: Client): Record<string, string> {
  if (secret === undefined) return {};
  // RFC 6749, section 2.3.1.
  const text = [id, secret].map((part) => new URLSearchParams({ p: part }).toString().slice(2));
  return { Authorization: `Basic ${Buffer.from(text.join(':')).toString('base64')}` };
}

function refusalOf(status: number, body: Record<string, unknown>): TokenRefused {
  const code = textOf(body, 'error') ?? `status ${status}`;
  return new TokenRefused(printable(code), printable(textOf(body, 'error_description')));
}

/** What others say goes to a terminal without characters that it would obey. */
export function printable(text: string): string;
export function printable(text: string | undefined): string | undefined;
export function printable(text: string | undefined): string | undefined {
  return text?.replaceAll(/[^\P{C}]+/gu, ' ').slice(0, 300);
}
