import { Agent as HttpAgent, type IncomingMessage, request as requestHttp } from 'node:http';
import { Agent as HttpsAgent, request as requestHttps } from 'node:https';
import { retryAfterMs } from './retry-after.ts';
import { DeliveryError } from './sink.ts';

/** Kept while there is nothing to send. */
const IDLE_SOCKETS = 2;
/** What is read of an answer's body, so that its connection can serve again, and for how long. */
const MAX_DROPPED_BYTES = 64 * 1024;
const DROP_TIMEOUT_MS = 5000;

export interface WebhookEndpointOptions {
  readonly url: URL;
  readonly timeoutMs: number;
  /** PEM certificates of the only authorities that are trusted; undefined: those of Node.js. */
  readonly ca: string | undefined;
  /** More calls at the same time wait, and their time runs. */
  readonly maxSockets: number;
}

export interface WebhookCall {
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** One receiver, and the connections to it. No error shows its URL. */
export class WebhookEndpoint {
  readonly #url: URL;
  readonly #timeoutMs: number;
  readonly #agent: HttpAgent | HttpsAgent;

  constructor({ url, timeoutMs, ca, maxSockets }: WebhookEndpointOptions) {
    this.#url = url;
    this.#timeoutMs = timeoutMs;
    const pool = { keepAlive: true, maxSockets, maxFreeSockets: IDLE_SOCKETS };
    this.#agent =
      url.protocol === 'https:'
        ? new HttpsAgent({ ...pool, ...(ca === undefined ? {} : { ca }) })
        : new HttpAgent(pool);
  }

  /** Posts it. @throws DeliveryError unless the answer is one of 2xx */
  async post(call: WebhookCall, signal: AbortSignal): Promise<void> {
    for (;;) {
      const outcome = await this.#attempt(call, signal);
      if (outcome === 'delivered') return;
      if (outcome !== 'stale') throw outcome;
    }
  }

  /** Cuts what is under way. */
  close(): void {
    this.#agent.destroy();
  }

  /** `stale`: the receiver had ended a kept connection, which says nothing about it; there are few of them. */
  #attempt(
    { headers, body }: WebhookCall,
    signal: AbortSignal,
  ): Promise<'delivered' | 'stale' | DeliveryError> {
    return new Promise((resolve) => {
      const request = (this.#url.protocol === 'https:' ? requestHttps : requestHttp)(this.#url, {
        method: 'POST',
        agent: this.#agent,
        headers: { ...headers, 'content-length': Buffer.byteLength(body) },
        signal,
      });
      const timer = setTimeout(() => {
        resolve(new DeliveryError(`no answer within ${this.#timeoutMs} ms`));
        request.destroy();
      }, this.#timeoutMs);
      request.on('response', (response) => {
        clearTimeout(timer);
        dropBody(response);
        resolve(judge(response) ?? 'delivered');
      });
      // Also after the answer, and then it is of no interest.
      request.on('error', (error) => {
        clearTimeout(timer);
        const code = codeOf(error);
        if (signal.aborted) resolve(new DeliveryError('it was given up'));
        else if (request.reusedSocket && /^(ECONNRESET|EPIPE)$/.test(code)) resolve('stale');
        else resolve(new DeliveryError(problemOf(code)));
      });
      request.on('close', () => {
        clearTimeout(timer);
        resolve(new DeliveryError('no answer (the connection was closed)'));
      });
      request.end(body);
    });
  }
}

/** Undefined: it is delivered. */
function judge({ statusCode = 0, headers }: IncomingMessage): DeliveryError | undefined {
  if (statusCode >= 200 && statusCode < 300) return undefined;
  const what =
    statusCode >= 300 && statusCode < 400
      ? `it redirects (status ${statusCode}), which is not followed`
      : `it answers with status ${statusCode}`;
  return new DeliveryError(what, {
    retryAfterMs: retryAfterMs(headers['retry-after'], new Date()),
  });
}

function dropBody(response: IncomingMessage): void {
  let left = MAX_DROPPED_BYTES;
  const timer = setTimeout(() => response.destroy(), DROP_TIMEOUT_MS);
  timer.unref();
  response.on('data', (piece: Buffer) => {
    left -= piece.length;
    if (left < 0) response.destroy();
  });
  response.on('error', () => undefined);
  response.on('close', () => clearTimeout(timer));
}

function problemOf(code: string): string {
  if (!/CERT|SELF_SIGNED|UNABLE_TO_/.test(code)) return `no answer (${code})`;
  return `its certificate is not accepted (${code}): does caFile, or NODE_EXTRA_CA_CERTS, name its authority?`;
}

function codeOf(error: Error): string {
  return 'code' in error && typeof error.code === 'string' ? error.code : 'the connection failed';
}
