import { readFileSync } from 'node:fs';
import { rootCertificates } from 'node:tls';
import type { Environment } from './environment.ts';
import { UsageError } from './errors.ts';
import type { Http, HttpAnswer, HttpRequest, Send } from './http.ts';
import { sendDirectly } from './http-direct.ts';
import { explainFailure, isUnknownAuthority } from './http-failure.ts';
import { proxyFor } from './proxy-choice.ts';

export interface HttpOptions {
  readonly environment: Environment;
  /** PEM file of authorities that are trusted besides those that Node.js knows. */
  readonly caFile: string | undefined;
  readonly debug: (text: string) => void;
}

const MAX_REDIRECTS = 5;
const REDIRECTS: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);

export function openHttp({ environment, caFile, debug }: HttpOptions): Http {
  const ca = caFile === undefined ? undefined : readAuthorities(caFile, environment);
  let everyones: readonly string[] | undefined;
  const sendTrusting = async (send: Send, request: HttpRequest) => {
    try {
      return await send(request, ca);
    } catch (error) {
      if (!ca || !isUnknownAuthority(error)) throw error;
      // Nothing was sent yet. Those that everyone trusts take a while to read, and are seldom needed besides a file.
      everyones ??= [...rootCertificates, ...ca];
      return send(request, everyones);
    }
  };
  const proxies = new Map<string, Promise<Send>>();
  const sendBy = (proxy: URL) => {
    const known = proxies.get(proxy.href) ?? loadProxy(proxy);
    proxies.set(proxy.href, known);
    return known;
  };
  const sendOnce = async (request: HttpRequest): Promise<HttpAnswer> => {
    const proxy = proxyFor(environment, request.url);
    const send = proxy ? await sendBy(proxy) : sendDirectly;
    try {
      const answer = await sendTrusting(send, request);
      debug(`${request.method ?? 'GET'} ${shown(request.url)} → ${answer.status}`);
      return { ...answer, body: explained(answer.body, request.url) };
    } catch (error) {
      throw explainFailure(error, request.url, proxy);
    }
  };
  return {
    async send(request) {
      let current = request;
      for (let redirects = 0; ; redirects += 1) {
        const answer = await sendOnce(current);
        const next = redirects < MAX_REDIRECTS ? redirectOf(current, answer) : undefined;
        if (!next) return answer;
        answer.cancel();
        current = next;
      }
    },
  };
}

/** The credential stays with the host that it is for. What carries a body isn't sent anywhere else. */
function redirectOf(request: HttpRequest, answer: HttpAnswer): HttpRequest | undefined {
  const { location } = answer.headers;
  const method = request.method ?? 'GET';
  if (!REDIRECTS.has(answer.status) || location === undefined) return undefined;
  if (method !== 'GET' && method !== 'HEAD') return undefined;
  if (!URL.canParse(location, request.url.href)) return undefined;
  const url = new URL(location, request.url);
  const { Authorization: _, ...others } = request.headers ?? {};
  return {
    ...request,
    url,
    headers: mayKnowCredential(request.url, url) ? (request.headers ?? {}) : others,
  };
}

/** The same host; also where it only wants to be asked over TLS. */
function mayKnowCredential(before: URL, after: URL): boolean {
  const isUpgrade = before.protocol === 'http:' && after.protocol === 'https:';
  const arePlain = before.port === '' && after.port === '';
  return before.origin === after.origin || (isUpgrade && arePlain && before.host === after.host);
}

async function* explained(body: AsyncIterable<Uint8Array>, url: URL): AsyncGenerator<Uint8Array> {
  try {
    yield* body;
  } catch (error) {
    throw explainFailure(error, url);
  }
}

/** Queries may hold secrets, as those of presigned URLs do. */
function shown(url: URL): string {
  return `${url.origin}${url.pathname}${url.search === '' ? '' : '?…'}`;
}

function readAuthorities(caFile: string, environment: Environment): readonly string[] {
  // Node.js itself reads NODE_EXTRA_CA_CERTS, but not for connections that are given authorities.
  const extra = environment['NODE_EXTRA_CA_CERTS'];
  return [readPem(caFile), ...(extra ? [readPem(extra)] : [])];
}

function readPem(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw new UsageError(`The certificates in ${path} can't be read: check --ca-file.`, {
      cause: error,
    });
  }
}

/** Loaded where there is a proxy alone: it takes longer than all the rest. */
async function loadProxy(proxy: URL): Promise<Send> {
  const { sendByProxy } = await import('./http-proxy.ts');
  return sendByProxy(proxy);
}
