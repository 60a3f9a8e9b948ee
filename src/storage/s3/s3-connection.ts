import { connect, type Socket } from 'node:net';
import { MAX_ANSWER_HEAD_BYTES } from './s3-answer-head.ts';

const CONNECT_TIMEOUT_MS = 5_000;
/** Servers close idle connections after 20 s or more; a connection that is in use is more than a new one costs. */
const IDLE_MS = 15_000;

/** The connection ended before the answer did. */
export class ConnectionCut extends Error {
  override readonly name = 'ConnectionCut';
}

/** Who gets what comes on a connection. */
export interface Receiver {
  /**
   * Where the next bytes go. It is asked for when a connection is made and after each `receive`; until the first bytes
   * of an answer, it has to be HEAD_BUFFER.
   */
  readonly target: Uint8Array;
  /** So many bytes are in the target. @returns false: no more until `resume` */
  receive(count: number): boolean;
  /** The connection is of no more use. Called once. */
  fail(error: Error): void;
}

/** Of all connections of this thread: who reads into it takes what came out of it at once. */
export const HEAD_BUFFER = Buffer.allocUnsafeSlow(MAX_ANSWER_HEAD_BYTES);

/** A connection in plain HTTP: a socket that reads into buffers of its receiver, so that nothing is copied. */
export class S3Connection {
  /** Name and port, as in the Host header. */
  readonly host: string;
  readonly #socket: Socket;
  readonly #silenceMs: number;
  readonly #onEnd: () => void;
  #receiver: Receiver | undefined;
  #isEnded = false;
  /** Since when the receiver has waited for bytes. Undefined: it doesn't. */
  #waitingSinceMs: number | undefined;

  /** @param onEnd called once */
  constructor({ host, hostname, port }: URL, silenceMs: number, onEnd: () => void) {
    this.host = host;
    this.#silenceMs = silenceMs;
    this.#onEnd = onEnd;
    this.#socket = connect({
      // An IPv6 address stands in brackets.
      host: hostname.replaceAll(/[[\]]/g, ''),
      port: Number(port || 80),
      noDelay: true,
      onread: {
        buffer: () => this.#receiver?.target ?? HEAD_BUFFER,
        callback: (count) => this.#receive(count),
      },
    });
    this.#socket.setTimeout(CONNECT_TIMEOUT_MS);
    this.#socket.on('connect', () => this.#socket.setTimeout(this.#silenceMs));
    this.#socket.on('timeout', () => this.#timeOut());
    this.#socket.on('error', (error) => this.end(new ConnectionCut(error.message)));
    this.#socket.on('end', () => this.end());
    this.#socket.on('close', () => this.end());
    this.#socket.resume();
  }

  get isEnded(): boolean {
    return this.#isEnded;
  }

  /** Sends a request; what comes then is the receiver's, until it is released. */
  send(request: string, receiver: Receiver): void {
    this.#receiver = receiver;
    this.#socket.ref();
    this.#socket.setTimeout(this.#socket.connecting ? CONNECT_TIMEOUT_MS : this.#silenceMs);
    this.#socket.write(request, 'latin1');
    this.resume();
  }

  /** What comes now is for another one. Only in `receive`: else the target stays what it was. */
  passTo(receiver: Receiver): void {
    this.#receiver = receiver;
  }

  /** The receiver waits for bytes. */
  resume(): void {
    this.#waitingSinceMs = performance.now();
    this.#socket.resume();
  }

  /** The receiver has all; another one may come. A process doesn't live on for the sake of the connection. */
  release(): void {
    this.#receiver = undefined;
    this.#waitingSinceMs = undefined;
    this.#socket.unref();
    this.#socket.setTimeout(IDLE_MS);
  }

  /** @param onClosed called when no byte will be written into the target any more */
  end(error: Error = new ConnectionCut('S3 closed the connection'), onClosed = () => {}): void {
    if (this.#socket.closed) onClosed();
    else this.#socket.once('close', onClosed);
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.#socket.destroy();
    this.#onEnd();
    this.#receiver?.fail(error);
  }

  #receive(count: number): boolean {
    if (!this.#receiver) {
      this.end(new Error('S3 sent what nobody asked for'));
      return false;
    }
    const goesOn = this.#receiver.receive(count);
    if (!goesOn) this.#waitingSinceMs = undefined;
    else if (this.#receiver) this.#waitingSinceMs = performance.now();
    return goesOn;
  }

  /** No byte has come for the time set. A receiver may have begun to wait for one later than that. */
  #timeOut(): void {
    if (!this.#receiver) return this.end();
    const waitedMs = this.#waitedMs;
    const limitMs = this.#socket.connecting ? CONNECT_TIMEOUT_MS : this.#silenceMs;
    // Timers are exact to a millisecond or two.
    if (waitedMs + 2 < limitMs) this.#socket.setTimeout(limitMs - waitedMs);
    else this.end(new Error('S3 has been silent for too long'));
  }

  get #waitedMs(): number {
    return this.#waitingSinceMs === undefined ? 0 : performance.now() - this.#waitingSinceMs;
  }
}
