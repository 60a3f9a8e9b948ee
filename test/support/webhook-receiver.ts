import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import {
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';

/** A request as it came. */
export interface ReceivedCall {
  readonly method: string;
  readonly target: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** What the receiver does with a request that came as a whole; `n` counts them from 0. */
export type Answer = (response: ServerResponse, n: number, request: IncomingMessage) => void;

/** A real HTTP or HTTPS server that keeps what it is sent, on a free port. */
export interface WebhookReceiver {
  readonly url: string;
  /** Those that came as a whole, in their order. */
  readonly calls: readonly ReceivedCall[];
  /** How many connections there were. */
  readonly connections: number;
  /** How many there were at the same time, at most. */
  readonly mostConnections: number;
  /** What follows is answered so. */
  answer(answer: Answer): void;
  close(): Promise<void>;
}

export interface ReceiverFiles {
  readonly certFile: string;
  readonly keyFile: string;
}

const FINE: Answer = (response) => response.writeHead(204).end();

export interface ReceiverOptions {
  /** Of its certificate; without them it speaks HTTP. */
  readonly files?: ReceiverFiles;
  /** A loopback address. */
  readonly host?: string;
  /** Where one was before; without it a free one. */
  readonly port?: number;
  readonly answer?: Answer;
}

export async function startWebhookReceiver(
  options: ReceiverOptions = {},
): Promise<WebhookReceiver> {
  const { files, host = '127.0.0.1', port = 0 } = options;
  const calls: ReceivedCall[] = [];
  const open = new Set<Socket>();
  let connections = 0;
  let mostConnections = 0;
  let { answer = FINE } = options;
  const server = await createFor(files);
  const receive = async (request: IncomingMessage, response: ServerResponse) => {
    const body = await readText(request);
    const { method = '', url: target = '', headers } = request;
    calls.push({ method, target, headers, body });
    answer(response, calls.length - 1, request);
  };
  server.on('request', (request, response) => {
    receive(request, response).catch(doNothing);
  });
  server.on('connection', (socket: Socket) => {
    connections += 1;
    open.add(socket);
    mostConnections = Math.max(mostConnections, open.size);
    socket.on('error', doNothing).on('close', () => open.delete(socket));
  });
  server.listen(port, host);
  await once(server, 'listening');
  return {
    url: `${files ? 'https' : 'http'}://${host}:${portOf(server)}`,
    calls,
    get connections() {
      return connections;
    },
    get mostConnections() {
      return mostConnections;
    },
    answer: (next) => {
      answer = next;
    },
    close: async () => {
      const closed = once(server, 'close');
      server.close();
      for (const socket of open) socket.destroy();
      await closed;
    },
  };
}

async function createFor(files: ReceiverFiles | undefined): Promise<Server> {
  if (!files) return createServer();
  const [cert, key] = await Promise.all([readFile(files.certFile), readFile(files.keyFile)]);
  return createSecureServer({ cert, key });
}

export function portOf(server: { address(): AddressInfo | string | null }): number {
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the server has no port');
  return address.port;
}

async function readText(request: IncomingMessage): Promise<string> {
  const pieces: Buffer[] = [];
  for await (const piece of request) pieces.push(piece);
  return Buffer.concat(pieces).toString();
}

function doNothing(): void {}
