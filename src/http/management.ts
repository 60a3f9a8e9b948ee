import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { Metrics } from '../metrics.ts';
import { startListening } from './listening.ts';

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
  const listening = startListening(server, { host, port }, 'MGMT_HTTP_HOST, MGMT_HTTP_PORT');
  return {
    port: await listening,
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
