import { once } from 'node:events';
import {
  type ClientRequest,
  type IncomingMessage,
  request as openRequest,
  type RequestOptions,
  type Server,
  type ServerResponse,
} from 'node:http';
import type { Workspace } from './workspace.ts';

/** Body and headers go on as they are; a connection that breaks on one side is broken on the other. */
export function forward(
  request: IncomingMessage,
  response: ServerResponse,
  server: RequestOptions,
): ClientRequest {
  const { method, url: path, headers } = request;
  const onward = openRequest({ ...server, method, path, headers, agent: false });
  onward.on('error', () => response.destroy());
  onward.on('response', (answer) => answer.on('error', () => response.destroy()));
  response.on('close', () => onward.destroy());
  request.pipe(onward);
  return onward;
}

/** On a free port of loopback; the server ends with the workspace. @returns host:port, as image references want it */
export async function listenInWorkspace(workspace: Workspace, server: Server): Promise<string> {
  // Layers take as long as they take.
  server.requestTimeout = 0;
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  workspace.defer(async () => {
    const closed = once(server, 'close');
    server.close();
    server.closeAllConnections();
    await closed;
  });
  const address = server.address();
  if (typeof address !== 'object' || !address) throw new Error('the server has no port');
  return `127.0.0.1:${address.port}`;
}
