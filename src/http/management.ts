import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { Metrics } from '../metrics.ts';
import type { Health } from './health.ts';
import { startListening } from './listening.ts';

export interface Management {
  readonly port: number;
  close(): Promise<void>;
}

export interface ManagementParts {
  readonly metrics: Metrics;
  readonly health: Health;
}

/** The management port: metrics and health. Apart from the registry's, so that it can stay private. @throws ListenError */
export async function listenManagement(
  { host, port }: { readonly host: string; readonly port: number },
  parts: ManagementParts,
): Promise<Management> {
  const server = createServer((request, response) => {
    answer(request, response, parts).catch(() => response.destroy());
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

async function answer(
  { url, method }: IncomingMessage,
  response: ServerResponse,
  { metrics, health }: ManagementParts,
) {
  if (method !== 'GET' && method !== 'HEAD') {
    response.writeHead(405, { Allow: 'GET, HEAD' }).end();
    return;
  }
  switch (url) {
    case '/metrics': {
      const { contentType, text } = await metrics.render();
      response.writeHead(200, { 'Content-Type': contentType }).end(text);
      return;
    }
    case '/health/live':
      sendJson(response, 200, { status: 'ok' });
      return;
    case '/health/ready': {
      const report = await health.report();
      sendJson(response, report.status === 'ok' ? 200 : 503, report);
      return;
    }
    case undefined:
    default:
      response
        .writeHead(404, { 'Content-Type': 'text/plain' })
        .end('GET /metrics, /health/live and /health/ready are all there is here\n');
  }
}

function sendJson(response: ServerResponse, status: number, body: object): void {
  const headers = { 'Content-Type': 'application/json', 'Cache-Control': 'no-store' };
  response.writeHead(status, headers).end(`${JSON.stringify(body)}\n`);
}
