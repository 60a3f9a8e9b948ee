import type { ServerResponse } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';

/** What one endpoint of the provider says. */
export interface ProviderAnswer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body: string;
}

/** What happens in place of the right answer, or to it. */
export type ProviderFault =
  /** The connection is reset. (A provider that listens no more: `vanish`.) */
  | { readonly kind: 'reset' }
  /** There is never an answer. */
  | { readonly kind: 'hang' }
  /** The right answer, later. */
  | { readonly kind: 'slow'; readonly ms: number }
  /** A text that never ends, as fast as it is read. */
  | { readonly kind: 'endless' }
  /** The right answer's head and first byte, and then a space now and then, for ever. */
  | { readonly kind: 'drip' }
  /** The connection is reset within the body of the right answer. */
  | { readonly kind: 'cut' }
  /** The right answer under another name. */
  | { readonly kind: 'content-type'; readonly contentType: string }
  /** Another answer. */
  | ({ readonly kind: 'answer' } & ProviderAnswer);

const JSON_TYPE = { 'content-type': 'application/json' };

function answer(status: number, body: string, headers: Readonly<Record<string, string>> = {}) {
  return { kind: 'answer', status, headers: { ...JSON_TYPE, ...headers }, body } as const;
}

/** For tables of tests: each is a way in which a dependency fails, none of them an answer about a token. */
export const PROVIDER_FAULTS: Readonly<Record<string, ProviderFault>> = {
  'resets the connection': { kind: 'reset' },
  'never answers': { kind: 'hang' },
  'never ends its answer': { kind: 'endless' },
  'sends a byte now and then': { kind: 'drip' },
  'breaks off in its answer': { kind: 'cut' },
  'answers 500': answer(500, '{"error":"server_error"}'),
  'answers 502 as a proxy does': answer(502, '<html>Bad Gateway</html>', {
    'content-type': 'text/html',
  }),
  'answers 503': answer(503, '{"error":"temporarily_unavailable"}', { 'retry-after': '1' }),
  'answers 429': answer(429, '{"error":"slow_down"}', { 'retry-after': '1' }),
  'answers HTML': answer(200, '<!DOCTYPE html><title>Sign in</title>', {
    'content-type': 'text/html; charset=utf-8',
  }),
  'answers broken JSON': answer(200, '{"uid": "jdoe", "realm": '),
  'answers nothing': answer(200, ''),
  'answers null': answer(200, 'null'),
  'answers a number': answer(200, '42'),
  'redirects elsewhere': answer(302, '', { location: '/elsewhere' }),
};

/** Fewer than a second, so that a time limit for idle connections never strikes. */
const DRIP_INTERVAL_MS = 200;
const ENDLESS_PIECE = Buffer.alloc(64 * 1024, ' ');

/** @param right makes the answer that there would be without the fault; undefined for none */
export async function respond(
  response: ServerResponse,
  fault: ProviderFault | undefined,
  right: () => Promise<ProviderAnswer>,
): Promise<void> {
  switch (fault?.kind) {
    case undefined:
      return send(response, await right());
    case 'reset':
      return reset(response);
    case 'hang':
      return undefined;
    case 'slow':
      await delay(fault.ms, undefined, { ref: false });
      return send(response, await right());
    case 'endless':
      return sendEndlessly(response);
    case 'drip':
      return drip(response, await right());
    case 'cut':
      return cut(response, await right());
    case 'content-type':
      return send(response, withType(await right(), fault.contentType));
    case 'answer':
      return send(response, fault);
  }
}

function send(response: ServerResponse, { status, headers, body }: ProviderAnswer): void {
  if (response.destroyed) return;
  response.writeHead(status, { ...headers, 'content-length': Buffer.byteLength(body) });
  response.end(body);
}

function withType(right: ProviderAnswer, contentType: string): ProviderAnswer {
  return { ...right, headers: { ...right.headers, 'content-type': contentType } };
}

function reset(response: ServerResponse): void {
  response.socket?.resetAndDestroy();
  response.destroy();
}

function sendEndlessly(response: ServerResponse): void {
  response.writeHead(200, JSON_TYPE);
  const sendMore = () => {
    if (response.destroyed) return;
    // Room for other requests between two pieces, also when the reader is fast.
    if (response.write(ENDLESS_PIECE)) setImmediate(sendMore);
    else response.once('drain', sendMore);
  };
  response.on('error', () => undefined);
  sendMore();
}

function drip(response: ServerResponse, { status, headers, body }: ProviderAnswer): void {
  if (response.destroyed) return;
  response.writeHead(status, headers);
  response.write(body.slice(0, 1));
  const timer = setInterval(() => response.write(' '), DRIP_INTERVAL_MS).unref();
  response.on('close', () => clearInterval(timer));
}

function cut(response: ServerResponse, { status, headers, body }: ProviderAnswer): void {
  if (response.destroyed) return;
  response.writeHead(status, { ...headers, 'content-length': Buffer.byteLength(body) });
  response.write(body.slice(0, Math.ceil(body.length / 2)), () => reset(response));
}
