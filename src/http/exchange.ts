import type { RequestSource } from '../oci/byte-source.ts';
import type { PaceRule } from './pace.ts';
import type { Proxies } from './proxies.ts';

/** Names to values; a list of values is sent as a line for each. */
export type AnswerHeaders = Readonly<Record<string, string | readonly string[]>>;

/** An answer whose body is in memory, or that has none. */
export interface Answer {
  readonly status: number;
  readonly headers: AnswerHeaders;
  readonly body?: Uint8Array | string;
  /** The same object is sent again and again, and never changes: what a transport makes of it is kept. */
  readonly isFixed?: true;
}

/** A request body. Take it once, with `deliverTo`, `takeWhole` or `readAll`; what is not taken is dropped after the answer. */
export interface RequestBody extends RequestSource {
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
  /** Of the connection's other end: the client, or a proxy. Empty once the connection is gone. */
  readonly remoteAddress: string;
  /** False once the client is gone or the answer was given; what is sent then is dropped. */
  readonly isOpen: boolean;
  /** Aborted when the client goes away before it has its answer. */
  readonly signal: AbortSignal;
  /** The value of a request header; `name` in lower case. Several lines are joined by commas. */
  header(name: string): string | undefined;
  /** Gives the whole answer. For HEAD the body is measured, and not sent. */
  send(answer: Answer): void;
  /**
   * Gives an answer of `lengthBytes` from `chunks`, with back-pressure: a chunk is asked for when the one before is
   * on its way. The head is sent with the first chunk, so an error before it leaves the exchange open. An error
   * after it cuts the connection. Undefined: as long as there are chunks, in chunked coding; for HEAD none is asked for.
   * @returns the bytes that were sent
   */
  stream(
    answer: Answer,
    lengthBytes: number | undefined,
    chunks: AsyncIterable<Uint8Array>,
  ): Promise<number>;
}

/**
 * Answers a request. Undefined: it is done; else it resolves when all is done that is to be done for it, also after the
 * answer. Never throws, and never rejects.
 */
export type Handler = (exchange: Exchange) => Promise<void> | undefined;

/** A request's head may have so many bytes, since tokens are long. The same on both transports. */
export const MAX_HEAD_BYTES = 16 * 1024;

/** PEM files. */
export interface TlsFiles {
  /** The server's certificate first, then those that lead to its authority's. */
  readonly certFile: string;
  readonly keyFile: string;
}

export interface TransportOptions {
  readonly host: string;
  /** 0: a free one. */
  readonly port: number;
  /** Who transfers a body more slowly is cut. */
  readonly pace: PaceRule;
  /** HTTPS with these, HTTP without. */
  readonly tls?: TlsFiles | undefined;
  /** Tells proxies from other clients, where connections to proxies need care. */
  readonly proxies: Proxies;
}

/** A listening HTTP server. */
export interface Transport {
  readonly port: number;
  /** Connections of all times. */
  readonly accepted: number;
  /** How many are open, whether something runs on them or not. */
  readonly connections: number;
  /** Accepts no connection any more. Those that are open go on; the next answer of each says that it is the last. */
  stopAccepting(): void;
  /** New connections get the certificate that the files hold now. @throws Error when they hold none; nothing changes */
  renewTls(): Promise<void>;
  /** Resolves when no exchange is running, and no handler is busy with one. */
  idle(): Promise<void>;
  /** Cuts every connection; senders of bodies count as gone. */
  close(): void;
}

/** The address can't be listened on. */
export class ListenError extends Error {
  override readonly name = 'ListenError';
}
