import {
  type Agent,
  type ClientRequest,
  type IncomingMessage,
  request as openPlain,
} from 'node:http';
import { request as openSecure } from 'node:https';
import { JsonValue } from './json.ts';
import { trustedAuthority } from './way.ts';

export interface HttpAnswer {
  readonly status: number;
  /** Names in lower case; values of a repeated header joined by a comma. */
  readonly headers: Readonly<Record<string, string>>;
  /** The values of a header as they came, one per line; `name` in lower case. */
  lines(name: string): readonly string[];
  readonly body: Buffer;
}

export interface HttpOptions {
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array | string;
  /** Sends the body without Content-Length, in chunked transfer coding. */
  readonly isChunked?: boolean;
  /** Gives up when it is aborted. */
  readonly signal?: AbortSignal;
}

/** A request whose body is sent piece by piece. */
export interface OpenRequest {
  /** Rejects when the connection is lost. */
  readonly answer: Promise<HttpAnswer>;
  /** Resolves when there is a connection. */
  readonly connected: Promise<void>;
  /** Resolves when the bytes are with the kernel. */
  write(bytes: Uint8Array): Promise<void>;
  end(bytes?: Uint8Array): void;
  /** Hangs up in the middle. */
  cut(): void;
}

/** Sends requests as they are written, paths unchanged, each over a connection of its own; HTTPS by the run's authority. */
export class HttpClient {
  readonly #base: URL;
  readonly #agent: Agent | false;

  /** @param agent keeps connections, and knows whom to trust for https */
  constructor(url: string, agent: Agent | false = false) {
    this.#base = new URL(url);
    this.#agent = agent;
  }

  send(method: string, path: string, options: HttpOptions = {}): Promise<HttpAnswer> {
    const { headers = {}, body = '', isChunked = false, signal } = options;
    const length = isChunked
      ? { 'Transfer-Encoding': 'chunked' }
      : { 'Content-Length': String(Buffer.byteLength(body)) };
    const hasBody = isChunked || body.length > 0 || !['GET', 'HEAD', 'DELETE'].includes(method);
    const all = hasBody ? { ...length, ...headers } : headers;
    const request = this.#open(method, path, all, signal);
    const answer = readAnswer(request);
    request.end(body.length > 0 ? body : undefined);
    return answer;
  }

  /** `headers` decide over the transfer coding: chunked without Content-Length. */
  open(method: string, path: string, headers: Readonly<Record<string, string>> = {}): OpenRequest {
    const request = this.#open(method, path, headers);
    request.flushHeaders();
    const answer = readAnswer(request);
    const connected = new Promise<void>((resolve, reject) => {
      request.once('error', reject);
      const isConnected = this.#base.protocol === 'https:' ? 'secureConnect' : 'connect';
      request.once('socket', (socket) => socket.once(isConnected, () => resolve()));
    });
    // Either may fail unobserved: whoever awaits it sees the error.
    answer.catch(() => undefined);
    connected.catch(() => undefined);
    return {
      answer,
      connected,
      write: (bytes) =>
        new Promise((resolve, reject) => {
          request.write(bytes, (error) => (error ? reject(error) : resolve()));
        }),
      end: (bytes) => void (bytes ? request.end(bytes) : request.end()),
      cut: () => void request.destroy(),
    };
  }

  #open(
    method: string,
    path: string,
    headers: Readonly<Record<string, string>>,
    signal?: AbortSignal,
  ): ClientRequest {
    const { protocol, hostname, port } = this.#base;
    const options = {
      hostname,
      port,
      method,
      path,
      headers,
      agent: this.#agent,
      ...(signal && { signal }),
    };
    return protocol === 'https:'
      ? openSecure(this.#agent ? options : { ...options, ca: trustedAuthority() })
      : openPlain(options);
  }
}

/** The code of an error body of the distribution spec. */
export function errorCodeOf(answer: HttpAnswer): string {
  return JsonValue.parse(answer.body.toString()).at('errors', 0, 'code').text;
}

function readAnswer(request: ClientRequest): Promise<HttpAnswer> {
  return new Promise((resolve, reject) => {
    request.once('error', reject);
    request.once('response', (response) => {
      readBody(response).then(resolve, reject);
    });
  });
}

async function readBody(response: IncomingMessage): Promise<HttpAnswer> {
  const pieces: Buffer[] = [];
  response.on('data', (piece: Buffer) => pieces.push(piece));
  await new Promise<void>((resolve, reject) => {
    response.once('error', reject);
    response.once('end', resolve);
  });
  const headers = Object.fromEntries(
    Object.entries(response.headersDistinct).map(([name, values = []]) => [
      name,
      values.join(', '),
    ]),
  );
  return {
    status: response.statusCode ?? 0,
    headers,
    lines: (name) => response.headersDistinct[name] ?? [],
    body: Buffer.concat(pieces),
  };
}
