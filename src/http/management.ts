import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Metrics } from '../metrics.ts';
import { ListenError } from './exchange.ts';

export interface Management {
  readonly port: number;
  close(): Promise<void>;
}

/** The management port: GET /metrics. Apart from the registry's, so that it can stay private. @throws ListenError */
export async function listenManagement(
  { host, port }: { readonly host: string; readonly port: number },
  metrics: Metrics,
): Promise<Management> {
  const server = createServer((request, response) => {
    answer(request, response, metrics).catch(() => response.destroy());
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', (cause) =>
      reject(
        new ListenError(`can't listen on ${host} port ${port} (MGMT_HTTP_HOST, MGMT_HTTP_PORT)`, {
          cause,
        }),
      ),
    );
    server.listen(port, host, resolve);
  });
  return {
    port: portOf(server.address()),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

async function answer(request: IncomingMessage, response: ServerResponse, metrics: Metrics) {
  if (request.url !== '/metrics' || request.method !== 'GET') {
    response
      .writeHead(404, { 'Content-Type': 'text/plain' })
      .end('GET /metrics is all there is here\n');
    return;
  }
  const { contentType, text } = await metrics.render();
  response.writeHead(200, { 'Content-Type': contentType }).end(text);
}

function portOf(address: AddressInfo | string | null): number {
  if (address === null || typeof address === 'string') throw new Error('not listening on a port');
  return address.port;
}
