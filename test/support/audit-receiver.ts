import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';

/** A request as the audit service had it. */
export interface AuditRequest {
  readonly method: string;
  readonly path: string;
  readonly authorization: string | undefined;
  readonly contentType: string | undefined;
  readonly body: string;
}

/** What the service does instead of keeping an event. */
export type AuditFault =
  | { readonly status: number; readonly headers?: Readonly<Record<string, string>> }
  | 'hang'
  | 'reset';

/** An audit service: it keeps each event below the digest of its text, which has to be right. */
export class AuditReceiver {
  /** All that came, also what it refused. */
  readonly requests: AuditRequest[] = [];
  /** By their digest; whoever sends one again changes nothing. */
  readonly events = new Map<string, string>();
  /** For the next requests, one each. */
  readonly faults: AuditFault[] = [];
  /** Undefined: it takes any token. */
  accepts: ((token: string) => boolean) | undefined;
  readonly #server: Server;
  readonly #scheme: 'http' | 'https';

  private constructor(tls: { readonly cert: string; readonly key: string } | undefined) {
    const answer = (request: IncomingMessage, response: ServerResponse) => {
      this.#answer(request, response).catch(() => response.destroy());
    };
    this.#scheme = tls ? 'https' : 'http';
    this.#server = tls ? createTlsServer(tls, answer) : createServer(answer);
  }

  /** On a free port of 127.0.0.1. */
  static async start(tls?: { readonly cert: string; readonly key: string }) {
    const receiver = new AuditReceiver(tls);
    receiver.#server.listen(0, '127.0.0.1');
    await once(receiver.#server, 'listening');
    return receiver;
  }

  /** Events are put below it. */
  get url(): URL {
    return new URL(`${this.#scheme}://127.0.0.1:${this.#address.port}/audit/events`);
  }

  /** The kept events, as they were read. */
  get documents(): unknown[] {
    return [...this.events.values()].map((text): unknown => JSON.parse(text));
  }

  /** Forgets what came so far. */
  clear(): void {
    this.requests.splice(0);
    this.events.clear();
  }

  async close(): Promise<void> {
    const closed = once(this.#server, 'close');
    this.#server.close();
    this.#server.closeAllConnections();
    await closed;
  }

  get #address(): AddressInfo {
    const address = this.#server.address();
    if (address === null || typeof address === 'string') throw new Error('it does not listen');
    return address;
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = '', url: path = '', headers } = request;
    const body = await readBody(request);
    const { authorization, 'content-type': contentType } = headers;
    this.requests.push({ method, path, authorization, contentType, body });
    const fault = this.faults.shift();
    if (fault === 'hang') return;
    if (fault === 'reset') {
      response.socket?.resetAndDestroy();
      return;
    }
    response.writeHead(fault?.status ?? this.#keep(method, path, authorization, body), {
      ...fault?.headers,
    });
    response.end('{"note":"no text of an audit service belongs into a log"}');
  }

  /** @returns the status */
  #keep(method: string, path: string, authorization: string | undefined, body: string): number {
    const [, token] = /^Bearer (\S+)$/.exec(authorization ?? '') ?? [];
    if (token === undefined || this.accepts?.(token) === false) return 401;
    const digest = createHash('sha256').update(body).digest('hex');
    if (method !== 'PUT' || path !== `/audit/events/${digest}`) return 400;
    this.events.set(digest, body);
    return 201;
  }
}

async function readBody(request: IncomingMessage): Promise<string> {
  const pieces: Buffer[] = [];
  for await (const piece of request) if (Buffer.isBuffer(piece)) pieces.push(piece);
  return Buffer.concat(pieces).toString();
}
