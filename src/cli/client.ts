import { CliError, ConnectionError, EXIT, HttpError, withoutStop } from './errors.ts';
import type { Http, HttpAnswer, HttpRequest } from './http.ts';

type Query = Readonly<Record<string, string | number | undefined>>;

export interface JsonAnswer {
  readonly value: unknown;
  /** The query of the next page, where there is one; its path is the same. */
  readonly nextQuery: string | undefined;
}

/** Requests to one registry. */
export interface Client {
  /** Without a slash at its end. */
  readonly url: string;
  readonly hasToken: boolean;
  /** @throws HttpError for a status of 400 or more, ConnectionError, or CliError where the answer is no JSON */
  json(path: string, query?: Query): Promise<JsonAnswer>;
  /**
   * A list, in pages where the registry has pages, else in one piece. `query.limit` is the size of a page.
   * @throws as `json` does
   */
  pages(path: string, query?: Query): AsyncGenerator<readonly unknown[], void, undefined>;
  /** The answer as it comes. @throws HttpError for a status of 400 or more, ConnectionError */
  open(path: string, options?: Omit<HttpRequest, 'url'>): Promise<HttpAnswer>;
}

export interface ClientOptions {
  readonly url: string;
  readonly token: string | undefined;
  readonly userAgent: string;
}

/** Servers that know no pages send everything: more than this is none of theirs. */
const MAX_JSON_BYTES = 256 * 1024 * 1024;
const MAX_ERROR_BYTES = 64 * 1024;
const PAGE_SIZE = 1000;

/** A path from segments; what is in one, slashes too, is percent-encoded. */
export function pathOf(...segments: readonly string[]): string {
  return segments.map((segment) => `/${encodeURIComponent(segment)}`).join('');
}

/** @throws CliError for what no header can hold; it isn't shown */
function checkToken(token: string): string {
  if (/^[\x21-\x7e]+$/.test(token)) return token;
  throw new CliError(
    'The token has a space, a line break or a letter that none has: check PIERONE_TOKEN, or where else it comes from.',
    EXIT.notLoggedIn,
  );
}

export function openClient(http: Http, { url, token, userAgent }: ClientOptions): Client {
  const credential = token === undefined ? {} : { Authorization: `Bearer ${checkToken(token)}` };
  const askForJson = async (target: string): Promise<JsonAnswer> => {
    const answer = await client.open(target, { headers: { Accept: 'application/json' } });
    return {
      value: parseJson(await readAll(answer, MAX_JSON_BYTES), url),
      nextQuery: nextQueryIn(answer.headers['link'], url),
    };
  };
  const client: Client = {
    url,
    hasToken: token !== undefined,
    async open(path, options = {}) {
      const headers = { 'User-Agent': userAgent, Accept: '*/*', ...credential, ...options.headers };
      const answer = await http.send({ ...options, headers, url: new URL(url + path) });
      if (answer.status >= 300) throw await refusal(answer, client);
      return answer;
    },
    async json(path, query = {}) {
      return askForJson(path + queryOf(query));
    },
    async *pages(path, query = {}) {
      let page = await client.json(path, { limit: PAGE_SIZE, ...query });
      for (;;) {
        yield listOf(page.value, url);
        const { nextQuery } = page;
        if (nextQuery === undefined) return;
        page = await askForJson(path + nextQuery);
        // It would go on so for ever.
        if (page.nextQuery === nextQuery) throw notPierOne(url);
      }
    },
  };
  return client;
}

function queryOf(query: Query): string {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value !== undefined) search.set(name, String(value));
  }
  return search.size === 0 ? '' : `?${search.toString()}`;
}

async function readAll(answer: HttpAnswer, limitBytes: number): Promise<string> {
  const pieces: Uint8Array[] = [];
  let bytes = 0;
  for await (const piece of answer.body) {
    bytes += piece.length;
    if (bytes > limitBytes) {
      throw new ConnectionError(`The answer has more than ${limitBytes} bytes: check the URL.`);
    }
    pieces.push(piece);
  }
  return Buffer.concat(pieces).toString();
}

function parseJson(text: string, url: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw notPierOne(url, error);
  }
}

function listOf(value: unknown, url: string): readonly unknown[] {
  if (Array.isArray(value)) return value;
  throw notPierOne(url);
}

export function notPierOne(url: string, cause?: unknown): CliError {
  return new ConnectionError(`${url} does not answer as Pier One does: check the URL.`, { cause });
}

/** RFC 8288, as far as lists use it. A proxy may have changed the path, and no host but the registry's is asked. */
function nextQueryIn(link: string | string[] | undefined, url: string): string | undefined {
  const [, target] = /<([^>]*)>\s*;[^,]*\brel="?next"?/.exec(String(link ?? '')) ?? [];
  return target !== undefined && URL.canParse(target, url)
    ? new URL(target, url).search
    : undefined;
}

async function refusal(answer: HttpAnswer, { url, hasToken }: Client): Promise<HttpError> {
  const { status } = answer;
  const detail = detailOf(await readAll(answer, MAX_ERROR_BYTES).catch(() => ''));
  const { host } = new URL(url);
  return new HttpError(sentenceFor(status, detail, host, hasToken), status, detail);
}

function sentenceFor(
  status: number,
  detail: string | undefined,
  host: string,
  hasToken: boolean,
): string {
  const said = detail === undefined ? '' : ` (${detail})`;
  if (status === 401) {
    return hasToken
      ? `${host} does not accept the token${said}: get a new one with pierone login.`
      : `${host} wants to know who you are: run pierone login, or set PIERONE_TOKEN.`;
  }
  if (status === 403)
    return `${host} refuses this${said}: use another token, or ask those who run it.`;
  if (status === 404) return `${host} does not have this${said}: check the names.`;
  if (status === 429) return `${host} gets too many requests from you${said}: try again later.`;
  if (status >= 500) return `${host} failed with status ${status}${said}: try again later.`;
  return `${host} answered with status ${status}${said}: check the URL and what you asked for.`;
}

/** The sentence in an error's body: ours, the original's, the registry protocol's, or a problem's (RFC 9457). */
function detailOf(text: string): string | undefined {
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch {
    return undefined;
  }
  const [first] = Array.isArray(memberOf(body, 'errors')) ? listIn(body) : [];
  const candidates = [
    memberOf(body, 'message'),
    memberOf(body, 'detail'),
    memberOf(first, 'message'),
  ];
  const found = candidates.find((value) => typeof value === 'string' && value !== '');
  return typeof found === 'string' ? withoutStop(found.slice(0, 500)) : undefined;
}

function listIn(body: unknown): readonly unknown[] {
  const errors = memberOf(body, 'errors');
  return Array.isArray(errors) ? errors : [];
}

/** A member of what came as JSON, whatever that is. */
export function memberOf(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined;
}
