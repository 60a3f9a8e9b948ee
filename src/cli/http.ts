import type { IncomingHttpHeaders } from 'node:http';

/** A request to any host: the registry, an identity provider, what either redirects to. */
export interface HttpRequest {
  readonly method?: 'GET' | 'HEAD' | 'POST' | 'PUT';
  readonly url: URL;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  /** Longest silence until the answer and between its pieces. */
  readonly idleTimeoutMs?: number;
}

export interface HttpAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  /** Read it to its end, or leave the loop early: either frees the connection. */
  readonly body: AsyncIterable<Uint8Array>;
  /** Frees the connection where nobody reads the body: else it keeps the process waiting. */
  readonly cancel: () => void;
}

/** Sends requests, by proxies and with the certificates that are configured. Redirects are followed. */
export interface Http {
  /** @throws ConnectionError; an answer of any status is none */
  send(request: HttpRequest): Promise<HttpAnswer>;
}

/** One request without redirects. */
export type Send = (request: HttpRequest, ca: readonly string[] | undefined) => Promise<HttpAnswer>;
