import {
  createServer,
  type IncomingMessage,
  type Server,
  type ServerOptions,
  type ServerResponse,
} from 'node:http';
import { createServer as createTlsServer, type Server as TlsServer } from 'node:https';
import { Server as NetServer } from 'node:net';
import type { Duplex } from 'node:stream';
import type { TlsOptions } from 'node:tls';
import { Activity } from './activity.ts';
import { type Handler, MAX_HEAD_BYTES, type Transport, type TransportOptions } from './exchange.ts';
import { startListening } from './listening.ts';
import { NodeExchange, type NodeServer } from './node-exchange.ts';
import { refusalText } from './node-refusal.ts';
import type { PaceRule } from './pace.ts';
import { readTlsFiles, type TlsContent } from './tls-files.ts';

/** A complete head, or TLS handshake, takes no longer; as on uWebSockets.js. */
const HEAD_TIMEOUT_MS = 12_000;
/** How often slow clients are looked for. */
const LOOK_MS = 2_000;
/** Proxies keep idle connections for 60 s: who closes one first must be the proxy. */
const KEEP_ALIVE_MS = 75_000;
/** So long a client that was refused may go on sending; closed at once, the connection would take the answer with it. */
const LINGER_MS = 2_000;

const HTTP_OPTIONS: ServerOptions = {
  maxHeaderSize: MAX_HEAD_BYTES,
  insecureHTTPParser: false,
  noDelay: true,
  keepAliveTimeout: KEEP_ALIVE_MS,
  headersTimeout: HEAD_TIMEOUT_MS,
  connectionsCheckingInterval: LOOK_MS,
  // Bodies have a rule of their own: pace.ts.
  requestTimeout: 0,
};

/** Listens with node:http, or node:https. @throws ListenError */
export async function listenNode(options: TransportOptions, handler: Handler): Promise<Transport> {
  const { tls } = options;
  if (!tls) return NodeTransport.listen(createServer(HTTP_OPTIONS), options, handler);
  const server = createTlsServer({ ...HTTP_OPTIONS, ...tlsOptions(await readTlsFiles(tls)) });
  const renew = async () => server.setSecureContext(tlsOptions(await readTlsFiles(tls)));
  return NodeTransport.listen(server, options, handler, renew);
}

function tlsOptions({ cert, key }: TlsContent): TlsOptions {
  return { cert, key, minVersion: 'TLSv1.2', handshakeTimeout: HEAD_TIMEOUT_MS };
}

/** A request of a connection; those that were sent behind it wait until it is answered. */
interface Turn {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
}

class NodeTransport implements Transport, NodeServer {
  readonly renewTls: () => Promise<void>;
  readonly pace: PaceRule;
  readonly #server: Server | TlsServer;
  readonly #handler: Handler;
  readonly #running = new Set<NodeExchange>();
  readonly #activity = new Activity();
  /** Also those in the middle of a TLS handshake. */
  readonly #connections = new Set<Duplex>();
  readonly #lastTurns = new WeakMap<Duplex, Turn>();
  readonly #refused = new WeakSet<Duplex>();
  readonly #looking: NodeJS.Timeout;
  #accepted = 0;
  #port = 0;
  #isStopping = false;

  static async listen(
    server: Server | TlsServer,
    options: TransportOptions,
    handler: Handler,
    renewTls: () => Promise<void> = () => Promise.resolve(),
  ): Promise<Transport> {
    const transport = new NodeTransport(server, options.pace, handler, renewTls);
    try {
      transport.#port = await startListening(server, options);
    } catch (error) {
      transport.close();
      throw error;
    }
    return transport;
  }

  private constructor(
    server: Server | TlsServer,
    pace: PaceRule,
    handler: Handler,
    renewTls: () => Promise<void>,
  ) {
    this.#server = server;
    this.pace = pace;
    this.#handler = handler;
    this.renewTls = renewTls;
    // A head's length is its limit, not the number of its lines: node:http would leave the others out.
    server.maxHeadersCount = 0;
    server.on('connection', (socket: Duplex) => {
      this.#accepted += 1;
      this.#connections.add(socket);
      socket.once('close', () => this.#connections.delete(socket));
    });
    server.on('request', (request, response) => this.#take({ request, response }));
    server.on('checkExpectation', (request, response) => this.#take({ request, response }));
    server.on('clientError', (error: NodeJS.ErrnoException, socket: Duplex) =>
      this.#refuse(error.code, socket),
    );
    this.#looking = setInterval(() => {
      const nowMs = Date.now();
      for (const exchange of this.#running) exchange.look(nowMs);
    }, LOOK_MS);
    this.#looking.unref();
  }

  get port(): number {
    return this.#port;
  }

  get accepted(): number {
    return this.#accepted;
  }

  get connections(): number {
    return this.#connections.size;
  }

  get isStopping(): boolean {
    return this.#isStopping;
  }

  onEnd(): void {
    this.#activity.end();
  }

  onRest(exchange: NodeExchange): void {
    this.#running.delete(exchange);
  }

  stopAccepting(): void {
    if (this.#isStopping) return;
    this.#isStopping = true;
    // That of node:http cuts idle connections, on which a request may be on the way.
    NetServer.prototype.close.call(this.#server);
  }

  idle(): Promise<void> {
    return this.#activity.idle();
  }

  close(): void {
    clearInterval(this.#looking);
    this.stopAccepting();
    // Ends its looking for slow heads, too.
    this.#server.close();
    for (const socket of this.#connections) socket.destroy();
  }

  /** node:http hands out requests that were sent before the answer to the one before them: each waits its turn. */
  #take(turn: Turn): void {
    const { socket } = turn.request;
    const before = this.#lastTurns.get(socket)?.response;
    this.#lastTurns.set(socket, turn);
    if (!before || before.writableFinished) {
      this.#serve(turn);
      return;
    }
    socket.pause();
    before.once('close', () => {
      if (socket.destroyed) return;
      socket.resume();
      this.#serve(turn);
    });
  }

  #serve({ request, response }: Turn): void {
    const exchange = new NodeExchange(request, response, this);
    this.#running.add(exchange);
    this.#activity.begin();
    this.#activity.begin();
    const work = this.#handler(exchange);
    if (work) void work.finally(() => this.#activity.end());
    else this.#activity.end();
  }

  /** Answers what is no request. A connection that can't be answered, or on which a request runs, is cut. */
  #refuse(code: string | undefined, socket: Duplex): void {
    if (socket.destroyed || this.#refused.has(socket)) return;
    const answer = refusalText(code);
    const last = this.#lastTurns.get(socket);
    const isServing = last && !(last.request.complete && last.response.writableFinished);
    if (answer === undefined || isServing || !socket.writable) {
      socket.destroy();
      return;
    }
    this.#refused.add(socket);
    socket.end(answer);
    setTimeout(() => socket.destroy(), LINGER_MS).unref();
  }
}
