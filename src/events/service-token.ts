import { readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { basicAuthorization, NoAnswer, parseJson, requestService } from '../service-request.ts';
import { DeliveryError } from './sink.ts';

const SETTING = 'OAUTH2_ACCESS_TOKEN_URL';
/** The name and the scope by which the original Pier One had its token. */
const TOKEN_FILE = 'http-audit-logger-token-secret';
const SCOPE = 'uid';
const TIMEOUT_MS = 5000;
/** The part of a token's life after which it is renewed; if that fails, there is time to try again. */
const RENEWED_AFTER = 0.6;
/** Between two attempts to renew a token that is still valid. */
const RENEWAL_PAUSE_MS = 10_000;
/** Of a token whose server doesn't say how long it is valid. */
const UNKNOWN_LIFETIME_SECONDS = 300;
/** More seconds than that make no sense, and would be no time. */
const MAX_LIFETIME_SECONDS = 365 * 86_400;

export interface ServiceTokenOptions {
  /** Where tokens are granted. Undefined: CREDENTIALS_DIR has a file with the token itself. */
  readonly url: URL | undefined;
  /** CREDENTIALS_DIR, kept up to date by somebody else. */
  readonly directory: string;
  readonly timeoutMs?: number;
  /** A clock in ms that never goes back. */
  readonly now?: () => number;
}

interface Token {
  readonly text: string;
  readonly expiresAt: number;
  renewsAt: number;
}

/**
 * The registry's own OAuth 2 token: that in a file which somebody keeps fresh, or one that is granted for the user and
 * the client in `user.json` and `client.json`. Files are read anew each time, since credentials are rotated.
 */
export class ServiceToken {
  readonly #options: ServiceTokenOptions;
  readonly #now: () => number;
  #token: Token | undefined;
  #renewal: Promise<Token> | undefined;

  constructor(options: ServiceTokenOptions) {
    this.#options = options;
    this.#now = options.now ?? (() => performance.now());
  }

  /** @throws DeliveryError when there is none */
  async get(): Promise<string> {
    const ready = await readOptional(join(this.#options.directory, TOKEN_FILE));
    if (ready !== undefined) return checkToken(ready.trim(), `the file ${TOKEN_FILE}`);
    const now = this.#now();
    const token = this.#token;
    if (!token || token.expiresAt <= now) return (await this.#renew()).text;
    if (token.renewsAt > now) return token.text;
    token.renewsAt = now + RENEWAL_PAUSE_MS;
    // While the old one is valid, a server that is down for a while does no harm.
    return (await this.#renew().catch(() => token)).text;
  }

  /** The token isn't accepted: another one is asked for, unless that was done meanwhile. */
  refuse(token: string): void {
    if (this.#token?.text === token) this.#token = undefined;
  }

  /** One request at a time, whoever waits for it. */
  #renew(): Promise<Token> {
    this.#renewal ??= this.#request().finally(() => {
      this.#renewal = undefined;
    });
    return this.#renewal;
  }

  async #request(): Promise<Token> {
    const { url, directory, timeoutMs = TIMEOUT_MS } = this.#options;
    if (!url) {
      throw new DeliveryError(
        `CREDENTIALS_DIR has no file ${TOKEN_FILE}: put the token there, or set ${SETTING}`,
      );
    }
    const [user, client] = await Promise.all([readUser(directory), readClient(directory)]);
    const askedAt = this.#now();
    const { status, text } = await requestService(url, {
      method: 'POST',
      headers: {
        accept: 'application/json',
        authorization: basicAuthorization(client.name, client.secret),
      },
      body: new URLSearchParams({
        grant_type: 'password',
        username: user.name,
        password: user.secret,
        scope: SCOPE,
      }),
      timeoutMs,
    }).catch((error: unknown) => {
      throw error instanceof NoAnswer ? new DeliveryError(`${SETTING}: ${error.message}`) : error;
    });
    const token = readAnswer(status, text, askedAt);
    this.#token = token;
    return token;
  }
}

function readAnswer(status: number, text: string, askedAt: number): Token {
  if (status !== 200) {
    const hint = [400, 401, 403].includes(status)
      ? ': are user.json and client.json in CREDENTIALS_DIR right?'
      : '';
    throw new DeliveryError(`${SETTING}: it grants no token (status ${status})${hint}`);
  }
  const answer = membersOf(parseJson(text));
  const { access_token: token, expires_in: seconds } = answer;
  const lifetimeMs = 1000 * lifetimeOf(seconds);
  return {
    text: checkToken(token, `the answer of ${SETTING}`),
    expiresAt: askedAt + lifetimeMs,
    renewsAt: askedAt + RENEWED_AFTER * lifetimeMs,
  };
}

function lifetimeOf(seconds: unknown): number {
  const number = typeof seconds === 'string' ? Number(seconds) : seconds;
  if (typeof number !== 'number' || !(number > 0)) return UNKNOWN_LIFETIME_SECONDS;
  return Math.min(number, MAX_LIFETIME_SECONDS);
}

/** What can't stand in a header is none. */
function checkToken(token: unknown, place: string): string {
  if (typeof token === 'string' && /^[\x21-\x7e]+$/.test(token)) return token;
  throw new DeliveryError(`${place} holds no token`);
}

interface Credentials {
  readonly name: string;
  readonly secret: string;
}

function readUser(directory: string): Promise<Credentials> {
  return readCredentials(directory, 'user.json', 'application_username', 'application_password');
}

function readClient(directory: string): Promise<Credentials> {
  return readCredentials(directory, 'client.json', 'client_id', 'client_secret');
}

/** Of what stands in the file nothing gets into an error. */
async function readCredentials(
  directory: string,
  file: string,
  nameKey: string,
  secretKey: string,
): Promise<Credentials> {
  const text = await readOptional(join(directory, file));
  if (text === undefined) {
    throw new DeliveryError(
      `CREDENTIALS_DIR has neither ${file} nor ${TOKEN_FILE}: put the credentials of the registry there`,
    );
  }
  const { [nameKey]: name, [secretKey]: secret } = membersOf(parseJson(text));
  if (typeof name === 'string' && typeof secret === 'string') return { name, secret };
  throw new DeliveryError(
    `${file} in CREDENTIALS_DIR is no JSON object with the texts ${nameKey} and ${secretKey}`,
  );
}

function membersOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? { ...value } : {};
}

/** @returns undefined when there is no such file */
async function readOptional(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown';
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw new DeliveryError(
      `CREDENTIALS_DIR: its file ${basename(path)} can not be read (${code})`,
    );
  }
}
