import type { HttpRequest, HttpResponse } from 'uWebSockets.js';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { type Answer, type Exchange, MAX_HEAD_BYTES, type RequestBody } from './exchange.ts';
import type { PaceRule } from './pace.ts';
import { type Refusal, refusalAnswer } from './refusal.ts';
import { UwsBody } from './uws-body.ts';
import { CLOSE, KEEP_ALIVE, writeHead } from './uws-head.ts';
import type { UwsPeers } from './uws-peers.ts';
import { UwsStream } from './uws-stream.ts';

/** Larger answers wait for their reader in our memory, not in a copy of uWebSockets.js' own, and at our pace. */
const MAX_SENT_AT_ONCE_BYTES = 64 * 1024;

/** What an exchange wants to know of its server. */
export interface UwsServer {
  readonly pace: PaceRule;
  readonly peers: UwsPeers;
  /** Its answer is the last one on its connection. */
  isLast(exchange: UwsExchange): boolean;
  /** Of one that was not over when its callback was left. */
  onEnd(exchange: UwsExchange): void;
}

/** Those that clients use, in upper case. */
const METHODS = new Map(
  ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'].map((name) => [name.toLowerCase(), name]),
);

/** One request of uWebSockets.js. */
export class UwsExchange implements Exchange {
  readonly method: string;
  readonly path: string;
  readonly query: string;
  readonly body: RequestBody | undefined;
  /** What is wrong with it although uWebSockets.js passed it on. */
  readonly refusal: Refusal | undefined;
  readonly #response: HttpResponse;
  readonly #headers = new Map<string, string>();
  readonly #body: UwsBody | undefined;
  readonly #server: UwsServer;
  /** While uWebSockets.js calls: what is written then goes out together, without a cork of our own. */
  #isInCallback = true;
  #isAnswered = false;
  /** The client hung up. */
  #isGone = false;
  /** No more may be asked of the response object. */
  #isEnded = false;
  /** Of an answer that is sent chunk by chunk. */
  #stream: UwsStream | undefined;
  #controller: AbortController | undefined;

  /** Takes from the request what it needs: after this call uWebSockets.js uses the object for the next one. */
  constructor(response: HttpResponse, request: HttpRequest, server: UwsServer) {
    this.#response = response;
    this.#server = server;
    const method = request.getMethod();
    this.method = METHODS.get(method) ?? method.toUpperCase();
    this.path = request.getUrl();
    this.query = request.getQuery() ?? '';
    let headBytes = this.path.length + this.query.length;
    request.forEach((name, value) => {
      headBytes += name.length + value.length + ': \r\n'.length;
      const before = this.#headers.get(name);
      this.#headers.set(name, before === undefined ? value : `${before}, ${value}`);
    });
    const length = this.#headers.get('content-length');
    const coding = this.#headers.get('transfer-encoding');
    this.refusal = refusalOf(headBytes, length, coding);
    const announcedBytes = length === undefined ? undefined : Number(length);
    const hasBody = coding !== undefined || (announcedBytes ?? 0) > 0;
    this.#body = hasBody ? new UwsBody(response, announcedBytes, server.pace) : undefined;
    this.body = this.#body;
  }

  /** Call it at the end of the callback that brought the request. @returns whether the rest of it goes on later. */
  leaveCallback(): boolean {
    this.#isInCallback = false;
    if (!this.#isEnded) this.#response.onAborted(() => this.#gone());
    return !this.#isEnded;
  }

  get remoteAddress(): string {
    return this.#isEnded ? '' : this.#server.peers.addressOf(this.#response);
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

  /** Answers what is no request, and closes the connection: nobody knows where the next one begins. */
  refuse(refusal: Refusal): void {
    const answer = refusalAnswer(refusal);
    this.#isAnswered = true;
    this.#body?.drop();
    this.#cork(() => {
      writeHead(this.#response, answer, undefined);
      // It writes Connection: close itself.
      this.#response.end(answer.body, true);
    });
    this.#done();
  }

  send(answer: Answer): void {
    if (!this.isOpen) return;
    const { body = '' } = answer;
    if (this.method !== 'HEAD' && body.length > MAX_SENT_AT_ONCE_BYTES) {
      const bytes = typeof body === 'string' ? Buffer.from(body) : body;
      // Nothing but the connection can fail, and it is cut then.
      this.stream(answer, bytes.length, oneChunk(bytes)).catch(() => undefined);
      return;
    }
    this.#isAnswered = true;
    if (this.#body?.isEnded === false) void this.#sendEarly(this.#body, answer);
    else this.#sendNow(answer);
  }

  async stream(
    answer: Answer,
    lengthBytes: number | undefined,
    chunks: AsyncIterable<Uint8Array>,
  ): Promise<number> {
    if (lengthBytes === undefined && this.method === 'HEAD') {
      await this.#sendUnmeasured(answer);
      return 0;
    }
    let sentBytes = 0;
    try {
      let head: Answer | undefined = answer;
      for await (const chunk of chunks) {
        if (this.#isGone || (head && this.#isAnswered)) return sentBytes;
        this.#isAnswered = true;
        if (head && this.#body) await this.#dropRest(this.#body);
        await this.#write(chunk, lengthBytes, head);
        head = undefined;
        if (!this.#isGone) sentBytes += chunk.length;
      }
      if (lengthBytes !== undefined && sentBytes < lengthBytes && !this.#isGone) {
        throw new RangeError(`the answer ended after ${sentBytes} of ${lengthBytes} bytes`);
      }
    } catch (error) {
      // Before the head went out, the caller can still answer; after it, only a cut tells the client.
      if (this.#isAnswered) this.#cut();
      throw error;
    }
    if (this.isOpen) this.send(answer);
    else if (lengthBytes === undefined) this.#end();
    return sentBytes;
  }

  /** Keeps uWebSockets.js from closing the connection, unless the client is slower than it may be. */
  rearm(nowMs: number): void {
    if (this.#isEnded) return;
    const reader = this.#stream?.pace;
    if (reader?.isTooSlow(nowMs) || this.#body?.pace.isTooSlow(nowMs)) this.#cut();
    else if (reader?.isWaiting || this.#body?.pace.isWaiting || this.#body?.isEnded) {
      // A body that ended while it was paused was resumed, which sets the time-out: the answer may take longer.
      this.#response.pause();
      this.#response.resume();
    }
  }

  get #wantsClose(): boolean {
    const connection = this.#headers.get('connection');
    return connection !== undefined && /\bclose\b/i.test(connection);
  }

  /** Answers before the body's end. To a client that closes, in a chunk, whose end waits for the rest of the body. */
  async #sendEarly(body: UwsBody, answer: Answer): Promise<void> {
    const { body: text = '' } = answer;
    if (!this.#wantsClose || text.length === 0 || this.method === 'HEAD') {
      await this.#dropRest(body);
      this.#sendNow(answer);
      return;
    }
    body.drop();
    await nextTurn();
    this.#cork(() => {
      this.#writeHead(answer);
      this.#response.write(text);
    });
    await this.#dropRest(body);
    this.#end();
  }

  /** The head of an answer whose length nobody knows. */
  async #sendUnmeasured(answer: Answer): Promise<void> {
    if (!this.isOpen) return;
    this.#isAnswered = true;
    if (this.#body) await this.#dropRest(this.#body);
    this.#cork(() => {
      this.#writeHead(answer);
      this.#response.endWithoutBody();
    });
    this.#done();
  }

  /** Ends an answer in chunks. */
  #end(): void {
    this.#cork(() => this.#response.end());
    this.#done();
  }

  /**
   * Resolves when the connection may be written to, and be closed if the client asked for that: uWebSockets.js closes it
   * with the answer's end, and bytes that are unread then take the answer with them.
   */
  async #dropRest(body: UwsBody): Promise<void> {
    body.drop();
    if (this.#wantsClose) await body.dropped();
    // Never in the callback that brought the body's bytes: over TLS a write loses those that are not decrypted yet.
    await nextTurn();
  }

  #sendNow(answer: Answer): void {
    this.#cork(() => {
      const { status, body = '' } = answer;
      this.#writeHead(answer);
      if (status === 204 || status === 304) this.#response.endWithoutBody();
      else if (this.method === 'HEAD') {
        const length = answer.headers['Content-Length'] ?? String(Buffer.byteLength(body));
        this.#response.writeHeader('Content-Length', String(length));
        this.#response.endWithoutBody();
      } else this.#response.end(body);
    });
    this.#done();
  }

  /** Writes one chunk, after the head if one is given. Waited for when the kernel doesn't take it at once. */
  #write(
    chunk: Uint8Array,
    lengthBytes: number | undefined,
    head: Answer | undefined,
  ): Promise<void> | undefined {
    if (this.#isEnded) return undefined;
    const { pace } = this.#server;
    this.#stream ??= new UwsStream(this.#response, pace, lengthBytes, () => this.#done());
    return this.#stream.write(chunk, head && (() => this.#writeHead(head)));
  }

  #writeHead(answer: Answer): void {
    if (this.#server.isLast(this)) writeHead(this.#response, answer, CLOSE);
    else writeHead(this.#response, answer, this.#wantsClose ? undefined : KEEP_ALIVE);
  }

  #cork(write: () => void): void {
    if (this.#isEnded) return;
    if (this.#isInCallback) write();
    else this.#response.cork(write);
  }

  #cut(): void {
    if (!this.#isEnded) this.#response.close();
  }

  #gone(): void {
    this.#isGone = true;
    this.#body?.cut();
    this.#stream?.end();
    this.#controller?.abort();
    this.#done();
  }

  /** The answer is out, or there is nobody to answer: the response object must not be touched any more. */
  #done(): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    if (!this.#isInCallback) this.#server.onEnd(this);
  }
}

/** uWebSockets.js' own limit is for heads that come in pieces alone. */
function refusalOf(headBytes: number, length?: string, coding?: string): Refusal | undefined {
  if (headBytes > MAX_HEAD_BYTES) return 'tooLong';
  const isLengthGood = length === undefined || /^\d*$/.test(length);
  const isCodingGood = coding === undefined || /^(chunked)?$/i.test(coding);
  return isLengthGood && isCodingGood ? undefined : 'malformed';
}

async function* oneChunk(chunk: Uint8Array): AsyncGenerator<Uint8Array> {
  yield chunk;
}
