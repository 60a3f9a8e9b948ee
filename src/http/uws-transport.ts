import uWS from 'uWebSockets.js';
import { Activity } from './activity.ts';
import {
  type Handler,
  ListenError,
  type TlsFiles,
  type Transport,
  type TransportOptions,
} from './exchange.ts';
import type { PaceRule } from './pace.ts';
import { readTlsFiles } from './tls-files.ts';
import { UwsExchange, type UwsServer } from './uws-exchange.ts';
import { UwsPeers } from './uws-peers.ts';

// It exists, and the package's types lack it.
declare module 'uWebSockets.js' {
  interface TemplatedApp {
    listen(
      host: string,
      port: number,
      options: number,
      callback: (socket: uWS.us_listen_socket | false) => void,
    ): TemplatedApp;
  }
}

/** LIBUS_LISTEN_EXCLUSIVE_PORT: without it two processes on one port share it silently. */
const EXCLUSIVE_PORT = 1;
/**
 * uWebSockets.js closes connections on which a body or a reader stalls for about 12 s, and can't be told otherwise.
 * pause() and resume() re-arm that timer; our own rule (pace.ts) cuts clients instead. It closes by itself
 * connections that have been idle, or have sent no complete head, for about 12 s.
 */
const REARM_MS = 4_000;

/** Listens with uWebSockets.js. @throws ListenError */
export async function listenUws(options: TransportOptions, handler: Handler): Promise<Transport> {
  const transport = new UwsTransport(options, handler);
  await transport.listen();
  return transport;
}

class UwsTransport implements Transport, UwsServer {
  readonly #options: TransportOptions;
  readonly #handler: Handler;
  readonly #running = new Set<UwsExchange>();
  readonly #activity = new Activity();
  readonly peers = new UwsPeers();
  /** The last one listens. Those before it serve the connections that they accepted with an older certificate. */
  readonly #apps: uWS.TemplatedApp[] = [];
  readonly #rearm: NodeJS.Timeout;
  #socket: uWS.us_listen_socket | undefined;
  #isStopping = false;
  #port: number;

  constructor(options: TransportOptions, handler: Handler) {
    this.#options = options;
    this.#handler = handler;
    this.#port = options.port;
    this.#rearm = setInterval(() => {
      const nowMs = Date.now();
      for (const exchange of this.#running) exchange.rearm(nowMs);
    }, REARM_MS);
    this.#rearm.unref();
  }

  get port(): number {
    return this.#port;
  }

  get accepted(): number {
    return this.peers.accepted;
  }

  get connections(): number {
    return this.peers.connections;
  }

  get pace(): PaceRule {
    return this.#options.pace;
  }

  isLast(exchange: UwsExchange): boolean {
    return this.#isStopping || this.#options.proxies.isProxied(exchange);
  }

  onEnd(exchange: UwsExchange): void {
    this.#running.delete(exchange);
    this.#activity.end();
  }

  /** Also when it listens already: then with the certificate that the files hold now. */
  async listen(): Promise<void> {
    const { tls } = this.#options;
    if (tls) await readTlsFiles(tls);
    if (this.#isStopping) return;
    if (tls && this.#port === 0) this.#port = await freePort(this.#options.host);
    const app = this.#serve(newApp(tls));
    // An app keeps its certificate. In one turn, so that next to no client finds the port closed.
    this.#closePort();
    this.#socket = await listen(app, this.#options.host, this.#port);
    this.#apps.push(app);
    this.#port = uWS.us_socket_local_port(this.#socket);
  }

  renewTls(): Promise<void> {
    return this.listen();
  }

  stopAccepting(): void {
    this.#isStopping = true;
    this.#closePort();
  }

  idle(): Promise<void> {
    return this.#activity.idle();
  }

  close(): void {
    clearInterval(this.#rearm);
    this.stopAccepting();
    for (const app of this.#apps) app.close();
  }

  /** Once for each socket: it is freed then. */
  #closePort(): void {
    if (this.#socket) uWS.us_listen_socket_close(this.#socket);
    this.#socket = undefined;
  }

  #serve(app: uWS.TemplatedApp): uWS.TemplatedApp {
    app.filter((response, change) => {
      if (Number(change) > 0) this.peers.opened(response);
      else this.peers.closed();
    });
    return app.any('/*', (response, request) => {
      const exchange = new UwsExchange(response, request, this);
      const work = this.#answer(exchange);
      if (exchange.leaveCallback()) {
        this.#activity.begin();
        this.#running.add(exchange);
      }
      if (!work) return;
      this.#activity.begin();
      void work.finally(() => this.#activity.end());
    });
  }

  #answer(exchange: UwsExchange): Promise<void> | undefined {
    const { refusal } = exchange;
    if (!refusal) return this.#handler(exchange);
    exchange.refuse(refusal);
    return undefined;
  }
}

function newApp(tls: TlsFiles | undefined): uWS.TemplatedApp {
  if (!tls) return uWS.App();
  return uWS.SSLApp({ cert_file_name: tls.certFile, key_file_name: tls.keyFile });
}

/** Only a port that was asked for by its number can be listened on again while it has connections. */
async function freePort(host: string): Promise<number> {
  const socket = await listen(uWS.App(), host, 0);
  const port = uWS.us_socket_local_port(socket);
  uWS.us_listen_socket_close(socket);
  return port;
}

function listen(app: uWS.TemplatedApp, host: string, port: number): Promise<uWS.us_listen_socket> {
  return new Promise((resolve, reject) => {
    app.listen(host, port, EXCLUSIVE_PORT, (socket) => {
      if (socket) resolve(socket);
      else
        reject(
          new ListenError(
            `can't listen on ${host} port ${port}: it is in use, or not an address of this machine`,
          ),
        );
    });
  });
}
