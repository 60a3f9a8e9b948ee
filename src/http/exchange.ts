import type { ByteSource } from '../oci/byte-source.ts';

/** An answer whose body is in memory, or that has none. */
export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: Uint8Array | string;
}

/** A request body. Take it once, with `deliverTo` or `readAll`; what is not taken is dropped after the answer. */
export interface RequestBody extends ByteSource {
  /** The whole body, unless it is longer than `maxBytes`, or its sender went away. */
  readAll(maxBytes: number): Promise<Uint8Array | 'too-large' | 'cut'>;
}

/**
 * One request and its answer; the only view of HTTP that the rest of the program has. A transport makes it
 * (uws-transport.ts); each passes test/contract/transport.ts.
 */
export interface Exchange {
  /** Upper case. */
  readonly method: string;
  /** As it was sent: not percent-decoded, without the query. */
  readonly path: string;
  /** Without the question mark; empty when there is none. Never logged. */
  readonly query: string;
  /** Undefined when the request has neither Content-Length (other than 0) nor Transfer-Encoding. */
  readonly body: RequestBody | undefined;
  /** The client's address, for the log. */
  readonly remoteAddress: string;
  /** False once the client is gone or the answer was given; what is sent then is dropped. */
  readonly isOpen: boolean;
  /** Aborted when the client goes away before it has its answer. */
  readonly signal: AbortSignal;
  /** The value of a request header; `name` in lower case. */
  header(name: string): string | undefined;
  /** Gives the whole answer. For HEAD the body is measured, and not sent. */
  send(answer: Answer): void;
  /**
   * Gives an answer of `lengthBytes` from `chunks`, with back-pressure: a chunk is asked for when the one before is
   * on its way. The head is sent with the first chunk, so an error before it leaves the exchange open. An error
   * after it cuts the connection.
   * @returns the bytes that were sent
   */
  stream(answer: Answer, lengthBytes: number, chunks: AsyncIterable<Uint8Array>): Promise<number>;
}

/** Answers a request. Resolves when it has done all that it wants to do for it, also after the answer. Never rejects. */
export type Handler = (exchange: Exchange) => Promise<void>;

export interface TransportOptions {
  readonly host: string;
  /** 0: a free one. */
  readonly port: number;
  /** A transfer without a byte for so long is cut. */
  readonly idleTimeoutMs: number;
}

/** A listening HTTP server. */
export interface Transport {
  readonly port: number;
  /** Accepts no connection any more. Running exchanges go on. */
  stopAccepting(): void;
  /** Resolves when no exchange is running, and no handler is busy with one. */
  idle(): Promise<void>;
  /** Cuts every connection; senders of bodies count as gone. */
  close(): void;
}

/** The address can't be listened on. */
export class ListenError extends Error {
  override readonly name = 'ListenError';
}
