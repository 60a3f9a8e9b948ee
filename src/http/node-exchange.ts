import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from 'node:http';
import type { Answer, Exchange, RequestBody } from './exchange.ts';
import { NodeBody } from './node-body.ts';
import { Pace, type PaceRule } from './pace.ts';

/** Larger chunks are written in pieces: each that the kernel has taken is a sign of life of its reader. */
const PIECE_BYTES = 128 * 1024;
/** The kernel takes a piece sooner, unless it waits for the reader. */
const STALL_MS = 5;

/** What an exchange wants to know of its server. */
export interface NodeServer {
  readonly pace: PaceRule;
  /** Answers are the last ones on their connections. */
  readonly isStopping: boolean;
  /** The answer is out, or there is nobody to answer. */
  onEnd(exchange: NodeExchange): void;
  /** Nothing of it moves any more; a body that was dropped has ended too. */
  onRest(exchange: NodeExchange): void;
}

/** RFC 9112, section 3.2.2: a client may name the host too, and with it a password, which belongs in no path. */
function originFormOf(target: string): string {
  const rest = target.replace(/^https?:\/\/[^/?#]*/i, '');
  return rest.startsWith('/') || rest === target ? rest : `/${rest}`;
}

/** One request of node:http. */
export class NodeExchange implements Exchange {
  readonly method: string;
  readonly path: string;
  readonly query: string;
  readonly body: RequestBody | undefined;
  readonly #request: IncomingMessage;
  readonly #response: ServerResponse;
  readonly #headers: ReadonlyMap<string, string>;
  readonly #body: NodeBody | undefined;
  readonly #server: NodeServer;
  readonly #pace: Pace;
  #isAnswered = false;
  /** node:http closes the connection after the answer. */
  #isLast = false;
  /** The client hung up. */
  #isGone = false;
  #controller: AbortController | undefined;
  /** Since when the kernel has had a piece that it hasn't taken. */
  #writingSinceMs: number | undefined;
  /** What the kernel took since it was last seen full. */
  #aheadBytes = 0;
  #wakeWriter = () => {};

  constructor(request: IncomingMessage, response: ServerResponse, server: NodeServer) {
    this.#request = request;
    this.#response = response;
    this.#server = server;
    this.#pace = new Pace(server.pace);
    const target = originFormOf(request.url ?? '');
    const mark = target.indexOf('?');
    this.method = request.method ?? '';
    this.path = mark < 0 ? target : target.slice(0, mark);
    this.query = mark < 0 ? '' : target.slice(mark + 1);
    this.#headers = joinLines(request.rawHeaders);
    this.#body = this.#makeBody();
    this.body = this.#body;
    response.once('close', () => this.#close());
  }

  get remoteAddress(): string {
    return this.#request.socket.remoteAddress ?? '';
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
    const { body = '' } = answer;
    const bytes = typeof body === 'string' ? Buffer.from(body) : body;
    this.#begin(answer, bytes.length);
    if (bytes.length === 0 || this.#isBodiless(answer.status)) this.#finish();
    else void this.#write(bytes).then(() => this.#finish());
  }

  async stream(
    answer: Answer,
    lengthBytes: number | undefined,
    chunks: AsyncIterable<Uint8Array>,
  ): Promise<number> {
    if (lengthBytes === undefined && this.method === 'HEAD') {
      this.#sendUnmeasured(answer);
      return 0;
    }
    let sentBytes = 0;
    let isBegun = false;
    try {
      for await (const chunk of chunks) {
        if (this.#isGone || (!isBegun && this.#isAnswered)) return sentBytes;
        if (lengthBytes !== undefined && sentBytes + chunk.length > lengthBytes) {
          throw new RangeError(`the answer has more than ${lengthBytes} bytes`);
        }
        if (!isBegun) this.#begin(answer, lengthBytes);
        isBegun = true;
        await this.#write(chunk);
        if (!this.#isGone) sentBytes += chunk.length;
      }
      const isShort = lengthBytes !== undefined && sentBytes < lengthBytes;
      if (isShort && !this.#isGone && (isBegun || !this.#isAnswered)) {
        throw new RangeError(`the answer ended after ${sentBytes} of ${lengthBytes} bytes`);
      }
    } catch (error) {
      // Before the head went out, the caller can still answer; after it, only a cut tells the client.
      if (isBegun) this.#cut();
      throw error;
    }
    if (isBegun) this.#finish();
    else this.send(answer);
    return sentBytes;
  }

  /** The head of an answer whose length nobody knows. */
  #sendUnmeasured(answer: Answer): void {
    if (!this.isOpen) return;
    this.#begin(answer, undefined);
    this.#finish();
  }

  /** Cuts a client that is slower than it may be. */
  look(nowMs: number): void {
    this.#noteStall(nowMs);
    if (this.#pace.isTooSlow(nowMs) || this.#body?.pace.isTooSlow(nowMs)) this.#cut();
  }

  #begin({ status, headers }: Answer, lengthBytes: number | undefined): void {
    const lines: OutgoingHttpHeaders = {};
    for (const name in headers) {
      const value = headers[name];
      if (value === undefined || (name === 'Content-Length' && this.method !== 'HEAD')) continue;
      lines[name] = typeof value === 'string' ? value : [...value];
    }
    // Without it node:http sends chunks.
    if (lengthBytes !== undefined && status !== 204 && status !== 304) {
      lines['Content-Length'] ??= String(lengthBytes);
    }
    if (this.#server.isStopping) lines['Connection'] = 'close';
    this.#response.writeHead(status, lines);
    this.#isLast = this.#server.isStopping || !this.#response.shouldKeepAlive;
    this.#isAnswered = true;
    this.#body?.drop();
  }

  #isBodiless(status: number): boolean {
    return this.method === 'HEAD' || status === 204 || status === 304;
  }

  /** Resolves when the kernel has all of it, or the client is gone: until then it must not be overwritten. */
  async #write(chunk: Uint8Array): Promise<void> {
    for (let from = 0; from < chunk.length && !this.#isGone; from += PIECE_BYTES) {
      await this.#writePiece(chunk.subarray(from, from + PIECE_BYTES));
    }
  }

  #writePiece(piece: Uint8Array): Promise<void> {
    return new Promise((resolve) => {
      this.#wakeWriter = resolve;
      this.#writingSinceMs = Date.now();
      this.#response.write(piece, () => {
        this.#countWritten(piece.length);
        resolve();
      });
    });
  }

  #countWritten(bytes: number): void {
    const nowMs = Date.now();
    this.#noteStall(nowMs);
    this.#writingSinceMs = undefined;
    if (this.#pace.isWaiting) {
      this.#pace.stop(nowMs);
      this.#aheadBytes = 0;
    }
    this.#aheadBytes += bytes;
  }

  #noteStall(nowMs: number): void {
    const sinceMs = this.#writingSinceMs;
    if (sinceMs === undefined || nowMs - sinceMs < STALL_MS) return;
    this.#pace.wait(sinceMs, this.#aheadBytes);
  }

  /**
   * The kernel has the answer. Where node:http would close the connection now, a body that still comes is read to
   * its end first, or for a while: else the answer may be lost with it.
   */
  #finish(): void {
    if (this.#isGone) return;
    if (!this.#isLast || !this.#body || this.#body.isEnded) this.#response.end();
    else {
      this.#response.flushHeaders();
      void this.#body.dropped().then(() => this.#response.end());
    }
  }

  #makeBody(): NodeBody | undefined {
    const length = this.#headers.get('content-length');
    const announcedBytes = length === undefined ? undefined : Number(length);
    if (!this.#headers.has('transfer-encoding') && !announcedBytes) return undefined;
    return new NodeBody(this.#request, announcedBytes, this.#server.pace);
  }

  #cut(): void {
    this.#request.socket.destroy();
  }

  /** The answer is out, or there is nobody to answer. */
  #close(): void {
    this.#isGone = !this.#response.writableFinished;
    this.#pace.stop(Date.now());
    this.#wakeWriter();
    if (this.#isGone) this.#controller?.abort();
    this.#server.onEnd(this);
    if (!this.#body || this.#body.isEnded) this.#server.onRest(this);
    else void this.#body.ended.then(() => this.#server.onRest(this));
  }
}

/** Names in lower case to values; several lines are joined. */
function joinLines(raw: readonly string[]): ReadonlyMap<string, string> {
  const headers = new Map<string, string>();
  for (let i = 0; i + 1 < raw.length; i += 2) {
    const name = (raw[i] ?? '').toLowerCase();
    const value = raw[i + 1] ?? '';
    const before = headers.get(name);
    headers.set(name, before === undefined ? value : `${before}, ${value}`);
  }
  return headers;
}
