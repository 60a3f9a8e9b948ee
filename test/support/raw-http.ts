import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

import { connect as connectTls, TLSSocket } from 'node:tls';
import { trustedAuthority } from './way.ts';

export interface RawAnswer {
  readonly status: number;
  /** Names in lower case. */
  readonly headers: ReadonlyMap<string, string>;
  /** The lines of the headers, as they came. */
  readonly headerLines: readonly string[];
  readonly body: Buffer;
}

/** The head of a request, as it goes over the wire. */
export function requestHead(
  method: string,
  target: string,
  headers: Readonly<Record<string, string | number>> = {},
): string {
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  return `${method} ${target} HTTP/1.1\r\nHost: registry.example\r\n${lines.join('')}\r\n`;
}

/** One chunk of a chunked body. */
function chunkOf(bytes: Uint8Array): Buffer {
  return Buffer.concat([
    Buffer.from(`${bytes.length.toString(16)}\r\n`),
    bytes,
    Buffer.from('\r\n'),
  ]);
}

const LAST_CHUNK = '0\r\n\r\n';

/** The two ways in which a body goes over the wire. */
export const FRAMINGS = [
  {
    framing: 'Content-Length',
    headers: (length: number) => ({ 'Content-Length': length }),
    frame: (piece: Uint8Array) => piece,
    tail: '',
  },
  {
    framing: 'chunked',
    headers: () => ({ 'Transfer-Encoding': 'chunked' }),
    frame: chunkOf,
    tail: LAST_CHUNK,
  },
];

/** One connection, on which the test decides about every byte. */
export class RawClient {
  readonly #socket: Socket;
  readonly #received: Buffer[] = [];
  #receivedBytes = 0;
  readonly #closed: Promise<void>;
  #wake = () => {};
  isClosed = false;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('data', (bytes) => {
      this.#received.push(bytes);
      this.#receivedBytes += bytes.length;
      this.#wake();
    });
    // What is wrong with a connection shows in what could be read from it.
    socket.on('error', () => undefined);
    this.#closed = new Promise((resolve) => {
      socket.on('close', () => {
        this.isClosed = true;
        this.#wake();
        resolve();
      });
    });
  }

  /**
   * @param authority whose certificates are trusted; without it the connection is plain
   * @param localAddress where it seems to come from
   * @throws the error of the socket, such as ECONNREFUSED
   */
  static async open(port: number, authority?: Buffer, localAddress?: string): Promise<RawClient> {
    const address = { port, host: '127.0.0.1', ...(localAddress && { localAddress }) };
    const socket = authority ? connectTls({ ...address, ca: authority }) : connect(address);
    socket.setNoDelay(true);
    await once(socket, authority ? 'secureConnect' : 'connect');
    return new RawClient(socket);
  }

  /** To a server of the run's way. */
  static openUrl(url: string): Promise<RawClient> {
    const { protocol, port } = new URL(url);
    return RawClient.open(Number(port), protocol === 'https:' ? trustedAuthority() : undefined);
  }

  /** Over TLS, whatever the certificate. */
  static async openTls(port: number): Promise<RawClient> {
    const socket = connectTls({ port, host: '127.0.0.1', rejectUnauthorized: false });
    socket.setNoDelay(true);
    await once(socket, 'secureConnect');
    return new RawClient(socket);
  }

  /** Of the server's certificate, where there is TLS. */
  get certificateFingerprint(): string | undefined {
    return this.#socket instanceof TLSSocket
      ? this.#socket.getPeerCertificate().fingerprint256
      : undefined;
  }

  send(bytes: string | Uint8Array): void {
    this.#socket.write(bytes);
  }

  /** Sends piece by piece, as fast as the server takes them. @returns the bytes that were sent before it closed */
  async sendAll(pieces: Iterable<Uint8Array>): Promise<number> {
    let sent = 0;
    for (const piece of pieces) {
      if (this.isClosed || !this.#socket.writable) break;
      if (!this.#socket.write(piece)) {
        await Promise.race([this.#drained(), this.#closed]);
      }
      sent += piece.length;
    }
    return sent;
  }

  /** Bytes that neither the server nor the kernel has taken. */
  get unsentBytes(): number {
    return this.#socket.writableLength;
  }

  /** Stops reading, so that the server's answer piles up on its side. */
  pauseReading(): void {
    this.#socket.pause();
  }

  resumeReading(): void {
    this.#socket.resume();
  }

  /** Bytes that came and were not read yet. */
  get receivedBytes(): number {
    return this.#receivedBytes;
  }

  async readAnswer(method = 'GET'): Promise<RawAnswer> {
    const head = (await this.readHead()).split('\r\n');
    const status = Number(head[0]?.split(' ')[1]);
    const headers = new Map<string, string>();
    for (const line of head.slice(1)) {
      const colon = line.indexOf(':');
      headers.set(line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim());
    }
    const isBodiless = method === 'HEAD' || status < 200 || status === 204 || status === 304;
    const length = isBodiless ? 0 : Number(headers.get('content-length'));
    const isChunked = headers.get('transfer-encoding') === 'chunked';
    const body = isChunked ? await this.readChunked() : await this.read(length);
    return { status, headers, headerLines: head.slice(1), body };
  }

  /** A body in chunks, to its end (RFC 9112, section 7.1). @throws Error when the connection is closed before */
  async readChunked(): Promise<Buffer> {
    const chunks: Buffer[] = [];
    for (;;) {
      const size = Number.parseInt(await this.#readUpTo('\r\n', 'the size of a chunk'), 16);
      const chunk = await this.read(size + 2);
      if (size === 0) return Buffer.concat(chunks);
      chunks.push(chunk.subarray(0, size));
    }
  }

  /** Up to the empty line. @throws Error when the connection is closed before */
  readHead(): Promise<string> {
    return this.#readUpTo('\r\n\r\n', 'the head of an answer');
  }

  async #readUpTo(mark: string, what: string): Promise<string> {
    for (;;) {
      const all = this.#takeAll();
      const end = all.indexOf(mark);
      if (all.length > 0) this.#putBack(end < 0 ? all : all.subarray(end + mark.length));
      if (end >= 0) return all.subarray(0, end).toString('latin1');
      await this.#more(what);
    }
  }

  /** @throws Error when the connection is closed before */
  async read(length: number): Promise<Buffer> {
    if (Number.isNaN(length)) throw new Error('the answer has no Content-Length');
    while (this.#receivedBytes < length) await this.#more(`${length} bytes`);
    const all = this.#takeAll();
    if (all.length > length) this.#putBack(all.subarray(length));
    return all.subarray(0, length);
  }

  /** All that still comes, when the server has closed the connection. */
  async readToEnd(): Promise<Buffer> {
    await this.closed();
    return this.#takeAll();
  }

  closed(): Promise<void> {
    return this.#closed;
  }

  /** Goes away without a word. */
  destroy(): void {
    this.#socket.destroy();
  }

  /** Breaks the connection: the server sees ECONNRESET. */
  reset(): void {
    this.#socket.resetAndDestroy();
  }

  /** Sends what is left, and goes away. */
  end(): void {
    this.#socket.end();
  }

  #drained(): Promise<void> {
    return new Promise((resolve) => this.#socket.once('drain', resolve));
  }

  #takeAll(): Buffer {
    this.#receivedBytes = 0;
    return Buffer.concat(this.#received.splice(0));
  }

  #putBack(bytes: Buffer): void {
    this.#received.unshift(bytes);
    this.#receivedBytes += bytes.length;
  }

  async #more(what: string): Promise<void> {
    if (this.isClosed) {
      throw new Error(`closed after ${this.#receivedBytes} bytes, while waiting for ${what}`);
    }
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
    });
  }
}
