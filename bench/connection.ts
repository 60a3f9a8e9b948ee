import { connect, type Socket } from 'node:net';
import { type Answer, AnswerReader, type Sink } from './answer-reader.ts';

export interface Request {
  readonly method: string;
  /** Path with query. */
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** The body as it goes on the wire: framed already, if it is chunked. */
  readonly body?: Iterable<Buffer>;
  readonly sink?: Sink;
}

interface Pending {
  readonly reader: AnswerReader;
  resolve(answer: Answer): void;
  reject(error: Error): void;
}

const RECEIVE_BUFFER_BYTES = 512 * 1024;
/** Long enough for a slow disk's fdatasync of a whole layer. */
const IDLE_LIMIT_MS = 180_000;
const DEADLINE_MS = 15 * 60_000;

/**
 * One keep-alive connection, one request at a time. It writes to the socket directly, since node:http would copy and
 * frame every buffer, on cores that the measured server needs.
 */
export class Connection {
  readonly #socket: Socket;
  readonly #host: string;
  readonly #deadline: NodeJS.Timeout;
  #pending: Pending | undefined;
  /** Whose body is being sent. */
  #sending: Pending | undefined;
  /** Why the connection can't be used any more. */
  #failure: Error | undefined;

  constructor(url: string) {
    const { hostname, port, host } = new URL(url);
    this.#host = host;
    this.#socket = connect({
      host: hostname,
      port: Number(port),
      noDelay: true,
      onread: {
        buffer: Buffer.allocUnsafe(RECEIVE_BUFFER_BYTES),
        callback: (count, buffer) =>
          this.#receive(Buffer.from(buffer.buffer, buffer.byteOffset, count)),
      },
    });
    this.#socket.setTimeout(IDLE_LIMIT_MS, () => this.#fail(new Error('no byte for 3 min')));
    this.#socket.on('error', (error) => this.#fail(error));
    this.#socket.on('close', () => this.#fail(new Error('the server closed the connection')));
    this.#deadline = setTimeout(() => this.#fail(new Error('took more than 15 min')), DEADLINE_MS);
  }

  /** Sends the request and its body, buffer by buffer, and waits for the answer, whatever its status. */
  async send(request: Request): Promise<Answer> {
    if (this.#failure) throw this.#failure;
    if (this.#pending) throw new Error('the connection is in use');
    const answer = this.#expectAnswer(request);
    // The send loop may end first with the same failure: the answer's rejection is awaited below in any case.
    answer.catch(() => undefined);
    this.#sending = this.#pending;
    await this.#write(Buffer.from(this.#head(request), 'latin1'));
    for (const bytes of request.body ?? []) {
      if (!this.#pending) break;
      await this.#write(bytes);
    }
    this.#sending = undefined;
    return answer;
  }

  close(): void {
    clearTimeout(this.#deadline);
    this.#socket.destroy();
  }

  #expectAnswer({ method, sink }: Request): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const reader = new AnswerReader(method === 'HEAD', sink ?? (() => undefined));
      this.#pending = { reader, resolve, reject };
    });
  }

  #head({ method, path, headers = {} }: Request): string {
    const lines = Object.entries({ Host: this.#host, ...headers }).map(([k, v]) => `${k}: ${v}`);
    return `${[`${method} ${path} HTTP/1.1`, ...lines].join('\r\n')}\r\n\r\n`;
  }

  /** Waits until the kernel has taken all bytes. A failure shows in the answer. */
  #write(bytes: Buffer): Promise<void> {
    return new Promise((resolve) => this.#socket.write(bytes, () => resolve()));
  }

  #receive(bytes: Buffer): boolean {
    try {
      const answer = this.#pending?.reader.feed(bytes);
      if (answer) this.#settle(answer);
    } catch (error) {
      this.#fail(error instanceof Error ? error : new Error(String(error)));
    }
    return true;
  }

  #settle(answer: Answer): void {
    const answered = this.#pending;
    this.#pending = undefined;
    answered?.resolve(answer);
    // An answer before the end of the body: nobody reads the rest, and a blocked write would never end.
    setImmediate(() => {
      if (answered && this.#sending === answered) this.#socket.destroy();
    });
  }

  #fail(error: Error): void {
    clearTimeout(this.#deadline);
    this.#failure ??= error;
    this.#pending?.reject(error);
    this.#pending = undefined;
    this.#socket.destroy();
  }
}
