import type { HttpRequest, HttpResponse } from 'uWebSockets.js';
import { STATUS_CODES } from 'node:http';
import { setImmediate as nextTurn } from 'node:timers/promises';
import {
  type Answer,
  type AnswerHeaders,
  type Exchange,
  MAX_HEAD_BYTES,
  type RequestBody,
} from './exchange.ts';
import { Pace, type PaceRule } from './pace.ts';
import { type Refusal, refusalAnswer } from './refusal.ts';
import { UwsBody } from './uws-body.ts';

/** Larger answers wait for their reader in our memory, not in a copy of uWebSockets.js' own, and at our pace. */
const MAX_SENT_AT_ONCE_BYTES = 64 * 1024;

/** uWebSockets.js closes idle connections after 10 s or a little more; clients that know don't run into it. */
const KEEP_ALIVE = 'timeout=10';

/** What an exchange wants to know of its server. */
export interface UwsServer {
  readonly pace: PaceRule;
  /** Its answer is the last one on its connection. */
  isLast(exchange: UwsExchange): boolean;
  onEnd(exchange: UwsExchange): void;
}

interface StalledChunk {
  /** Gives the kernel what it had not taken, from an offset of the answer on. @returns true when it took all of it */
  readonly goOn: (offset: number) => boolean;
  resume: () => void;
}

/** One request of uWebSockets.js. */
export class UwsExchange implements Exchange {
  readonly method: string;
  readonly path: string;
  readonly query: string;
  readonly body: RequestBody | undefined;
  readonly #response: HttpResponse;
  readonly #headers = new Map<string, string>();
  readonly #body: UwsBody | undefined;
  readonly #server: UwsServer;
  readonly #pace: Pace;
  readonly #headBytes: number;
  #isAnswered = false;
  /** The client hung up. */
  #isGone = false;
  /** No more may be asked of the response object. */
  #isEnded = false;
  /** The chunk that the kernel has taken a part of. */
  #stalled: StalledChunk | undefined;
  #hasWritableHandler = false;
  #controller: AbortController | undefined;
  /** What the kernel had taken of the answer when it was full the last time. */
  #takenBytes = 0;

  /** Takes from the request what it needs: after this call uWebSockets.js uses the object for the next one. */
  constructor(response: HttpResponse, request: HttpRequest, server: UwsServer) {
    this.#response = response;
    this.#server = server;
    this.#pace = new Pace(server.pace);
    this.method = request.getMethod().toUpperCase();
    this.path = request.getUrl();
    this.query = request.getQuery() ?? '';
    let headBytes = this.path.length + this.query.length;
    request.forEach((name, value) => {
      headBytes += name.length + value.length + ': \r\n'.length;
      const before = this.#headers.get(name);
      this.#headers.set(name, before === undefined ? value : `${before}, ${value}`);
    });
    this.#headBytes = headBytes;
    response.onAborted(() => this.#gone());
    this.#body = this.#hasBody()
      ? new UwsBody(response, this.#announcedBytes(), server.pace)
      : undefined;
    this.body = this.#body;
  }

  get remoteAddress(): string {
    return this.#isEnded
      ? ''
      : Buffer.from(this.#response.getRemoteAddressAsText()).toString('latin1');
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

  /** What is wrong with it although uWebSockets.js passed it on: its limit is for heads that come in pieces alone. */
  get refusal(): Refusal | undefined {
    if (this.#headBytes > MAX_HEAD_BYTES) return 'tooLong';
    const isLengthGood = /^\d*$/.test(this.#headers.get('content-length') ?? '');
    const isCodingGood = /^(chunked)?$/i.test(this.#headers.get('transfer-encoding') ?? '');
    return isLengthGood && isCodingGood ? undefined : 'malformed';
  }

  /** Answers what is no request, and closes the connection: nobody knows where the next one begins. */
  refuse(refusal: Refusal): void {
    const { status, headers, body } = refusalAnswer(refusal);
    this.#isAnswered = true;
    this.#body?.drop();
    this.#response.cork(() => {
      this.#writeLines(status, headers);
      // It writes Connection: close itself.
      this.#response.end(body, true);
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
        sentBytes += chunk.length;
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
    if (this.#pace.isTooSlow(nowMs) || this.#body?.pace.isTooSlow(nowMs)) this.#cut();
    else if (this.#pace.isWaiting || this.#body?.pace.isWaiting || this.#body?.isEnded) {
      // A body that ended while it was paused was resumed, which sets the time-out: the answer may take longer.
      this.#response.pause();
      this.#response.resume();
    }
  }

  get #wantsClose(): boolean {
    return /\bclose\b/i.test(this.#headers.get('connection') ?? '');
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
    const { body = '' } = answer;
    this.#cork(() => {
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

  /** Writes one chunk, after the head if one is given; resolves when it is with the kernel, or the client is gone. */
  #write(
    chunk: Uint8Array,
    lengthBytes: number | undefined,
    head: Answer | undefined,
  ): Promise<void> {
    if (this.#isEnded) return Promise.resolve();
    let isOk = false;
    this.#response.cork(() => {
      if (head) this.#writeHead(head);
      const resume = () => undefined;
      if (lengthBytes === undefined) {
        // What the kernel doesn't take is copied: the handler is called when that is gone.
        isOk = chunk.length === 0 || this.#response.write(chunk);
        if (!isOk) this.#stalled = { goOn: () => true, resume };
        return;
      }
      const begin = this.#response.getWriteOffset();
      isOk = this.#tryEnd(chunk, lengthBytes);
      const goOn = (offset: number) => this.#tryEnd(chunk.subarray(offset - begin), lengthBytes);
      if (!isOk) this.#stalled = { goOn, resume };
    });
    if (!isOk) this.#waitForReader();
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
    this.#pace.stop(Date.now());
    if (!stalled.goOn(offset)) {
      this.#waitForReader();
      return false;
    }
    this.#stalled = undefined;
    stalled.resume();
    return true;
  }

  /** @returns true when the kernel took all of it. */
  #tryEnd(chunk: Uint8Array, lengthBytes: number): boolean {
    const [isOk, isWhole] = this.#response.tryEnd(chunk, lengthBytes);
    if (isWhole) this.#done();
    return isOk || isWhole;
  }

  /** The kernel took what it could; the rest is for when the reader took of that. */
  #waitForReader(): void {
    if (this.#isEnded) return;
    const taken = this.#response.getWriteOffset();
    this.#pace.wait(Date.now(), taken - this.#takenBytes);
    this.#takenBytes = taken;
  }

  #writeHead({ status, headers }: Answer): void {
    this.#writeLines(status, headers);
    // Said, not done: closing a connection with unread bytes takes the answer with it. The client closes it.
    if (this.#server.isLast(this)) this.#response.writeHeader('Connection', 'close');
    else if (!this.#wantsClose) this.#response.writeHeader('Keep-Alive', KEEP_ALIVE);
  }

  #writeLines(status: number, headers: AnswerHeaders): void {
    this.#response.writeStatus(`${status} ${STATUS_CODES[status] ?? ''}`);
    for (const name in headers) {
      const value = headers[name];
      if (value === undefined || (name === 'Content-Length' && this.method !== 'HEAD')) continue;
      for (const line of typeof value === 'string' ? [value] : value) {
        this.#response.writeHeader(name, line);
      }
    }
  }

  #cork(write: () => void): void {
    if (!this.#isEnded) this.#response.cork(write);
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
    this.#server.onEnd(this);
  }
}

async function* oneChunk(chunk: Uint8Array): AsyncGenerator<Uint8Array> {
  yield chunk;
}
