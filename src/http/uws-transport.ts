import uWS, { type HttpRequest, type HttpResponse } from 'uWebSockets.js';
import { STATUS_CODES } from 'node:http';
import { Activity } from './activity.ts';
import {
  type Answer,
  type Exchange,
  type Handler,
  ListenError,
  type RequestBody,
  type Transport,
  type TransportOptions,
} from './exchange.ts';
import { UwsBody } from './uws-body.ts';

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
 * pause() and resume() re-arm that timer; our own idle time-out cuts clients instead.
 */
const REARM_MS = 4_000;

/** Listens with uWebSockets.js. @throws ListenError */
export async function listenUws(options: TransportOptions, handler: Handler): Promise<Transport> {
  const running = new Set<UwsExchange>();
  const activity = new Activity();
  const onEnd = (exchange: UwsExchange) => {
    running.delete(exchange);
    activity.end();
  };
  const app = uWS.App();
  app.any('/*', (response, request) => {
    const exchange = new UwsExchange(response, request, onEnd);
    running.add(exchange);
    activity.begin();
    activity.begin();
    void handler(exchange).finally(() => activity.end());
  });
  const socket = await listen(app, options);
  const rearm = setInterval(() => {
    const nowMs = Date.now();
    for (const exchange of running) exchange.rearm(nowMs, options.idleTimeoutMs);
  }, REARM_MS);
  rearm.unref();
  let isAccepting = true;
  return {
    port: uWS.us_socket_local_port(socket),
    stopAccepting() {
      if (isAccepting) uWS.us_listen_socket_close(socket);
      isAccepting = false;
    },
    idle: () => activity.idle(),
    close() {
      clearInterval(rearm);
      app.close();
    },
  };
}

function listen(app: uWS.TemplatedApp, { host, port }: TransportOptions) {
  return new Promise<uWS.us_listen_socket>((resolve, reject) => {
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

interface StalledChunk {
  readonly chunk: Uint8Array;
  /** Offset in the answer of its first byte. */
  readonly begin: number;
  readonly lengthBytes: number;
  resume: () => void;
}

class UwsExchange implements Exchange {
  readonly method: string;
  readonly path: string;
  readonly query: string;
  readonly body: RequestBody | undefined;
  readonly #response: HttpResponse;
  readonly #headers = new Map<string, string>();
  readonly #body: UwsBody | undefined;
  readonly #onEnd: (exchange: UwsExchange) => void;
  #isAnswered = false;
  /** The client hung up. */
  #isGone = false;
  /** No more may be asked of the response object. */
  #isEnded = false;
  /** The chunk that the kernel has taken a part of. */
  #stalled: StalledChunk | undefined;
  #hasWritableHandler = false;
  #controller: AbortController | undefined;
  #lastProgressMs = Date.now();

  /** Takes from the request what it needs: after this call uWebSockets.js uses the object for the next one. */
  constructor(
    response: HttpResponse,
    request: HttpRequest,
    onEnd: (exchange: UwsExchange) => void,
  ) {
    this.#response = response;
    this.#onEnd = onEnd;
    this.method = request.getMethod().toUpperCase();
    this.path = request.getUrl();
    this.query = request.getQuery() ?? '';
    request.forEach((name, value) => this.#headers.set(name, value));
    response.onAborted(() => this.#gone());
    this.#body = this.#hasBody() ? new UwsBody(response, this.#announcedBytes()) : undefined;
    this.body = this.#body;
  }

  get remoteAddress(): string {
    return this.#isEnded ? '' : Buffer.from(this.#response.getRemoteAddressAsText()).toString();
  }

  get signal(): AbortSignal {
    this.#controller ??= new AbortController();
    if (this.#isGone) this.#controller.abort();
    return this.#controller.signal;
  }

  get isOpen(): boolean {
    return !this.#isGone && !this.#isAnswered;
  }

  header(name: string): string | undefined {
    return this.#headers.get(name);
  }

  send(answer: Answer): void {
    if (!this.isOpen) return;
    this.#isAnswered = true;
    this.#body?.drop();
    const { body = '' } = answer;
    this.#response.cork(() => {
      this.#writeHead(answer);
      if (answer.status === 204 || answer.status === 304) this.#response.endWithoutBody();
      else if (this.method === 'HEAD') {
        if (answer.headers['Content-Length'] === undefined) {
          this.#response.writeHeader('Content-Length', String(Buffer.byteLength(body)));
        }
        this.#response.endWithoutBody();
      } else this.#response.end(body);
    });
    this.#done();
  }

  async stream(
    answer: Answer,
    lengthBytes: number,
    chunks: AsyncIterable<Uint8Array>,
  ): Promise<number> {
    let sentBytes = 0;
    try {
      let head: Answer | undefined = answer;
      for await (const chunk of chunks) {
        if (this.#isGone || (head && this.#isAnswered)) return sentBytes;
        if (head) this.#body?.drop();
        this.#isAnswered = true;
        await this.#write(chunk, lengthBytes, head);
        head = undefined;
        sentBytes += chunk.length;
      }
      if (sentBytes < lengthBytes && !this.#isGone) {
        throw new RangeError(`the answer ended after ${sentBytes} of ${lengthBytes} bytes`);
      }
    } catch (error) {
      // Before the head went out, the caller can still answer; after it, only a cut tells the client.
      if (this.#isAnswered) this.#cut();
      throw error;
    }
    if (this.isOpen) this.send(answer);
    return sentBytes;
  }

  /** Keeps uWebSockets.js from closing the connection, unless nothing moved for too long. */
  rearm(nowMs: number, idleTimeoutMs: number): void {
    const lastMs = Math.max(this.#lastProgressMs, this.#body?.lastProgressMs ?? 0);
    const isTransfer = this.#body?.isArriving || this.#stalled !== undefined;
    if (this.#isEnded || !isTransfer || this.#body?.isPaused) return;
    if (nowMs - lastMs > idleTimeoutMs) this.#cut();
    else {
      this.#response.pause();
      this.#response.resume();
    }
  }

  /** Writes one chunk, after the head if one is given; resolves when it is with the kernel, or the client is gone. */
  #write(chunk: Uint8Array, lengthBytes: number, head: Answer | undefined): Promise<void> {
    let isOk = false;
    this.#response.cork(() => {
      if (head) this.#writeHead(head);
      const begin = this.#response.getWriteOffset();
      isOk = this.#tryEnd(chunk, lengthBytes);
      if (!isOk) this.#stalled = { chunk, begin, lengthBytes, resume: () => undefined };
    });
    const stalled = this.#stalled;
    if (!stalled) return Promise.resolve();
    return new Promise((resolve) => {
      stalled.resume = resolve;
      if (this.#hasWritableHandler) return;
      // Once: a handler that is set while one runs is overwritten with the one that runs.
      this.#hasWritableHandler = true;
      this.#response.onWritable((offset) => this.#onWritable(offset));
    });
  }

  /** @returns true when nothing is left to write. */
  #onWritable(offset: number): boolean {
    const stalled = this.#stalled;
    if (!stalled) return true;
    const { chunk, begin, lengthBytes } = stalled;
    if (!this.#tryEnd(chunk.subarray(offset - begin), lengthBytes)) return false;
    this.#stalled = undefined;
    stalled.resume();
    return true;
  }

  /** @returns true when the kernel took all of it. */
  #tryEnd(chunk: Uint8Array, lengthBytes: number): boolean {
    this.#lastProgressMs = Date.now();
    const [isOk, isWhole] = this.#response.tryEnd(chunk, lengthBytes);
    if (isWhole) this.#done();
    return isOk || isWhole;
  }

  #writeHead({ status, headers }: Answer): void {
    this.#response.writeStatus(`${status} ${STATUS_CODES[status] ?? ''}`);
    for (const name in headers) {
      const value = headers[name];
      if (value !== undefined && (name !== 'Content-Length' || this.method === 'HEAD')) {
        this.#response.writeHeader(name, value);
      }
    }
  }

  #hasBody(): boolean {
    return this.#headers.has('transfer-encoding') || (this.#announcedBytes() ?? 0) > 0;
  }

  #announcedBytes(): number | undefined {
    const length = this.#headers.get('content-length');
    return length === undefined ? undefined : Number(length);
  }

  #cut(): void {
    if (!this.#isEnded) this.#response.close();
  }

  #gone(): void {
    this.#isGone = true;
    this.#body?.cut();
    this.#stalled?.resume();
    this.#controller?.abort();
    this.#done();
  }

  /** The answer is out, or there is nobody to answer: the response object must not be touched any more. */
  #done(): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.#onEnd(this);
  }
}
