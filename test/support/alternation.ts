import { once } from 'node:events';
import { createServer, request as openRequest } from 'node:http';
import type { Workspace } from './workspace.ts';

/** Sends each request to another server than the one before: worse than any balancer. */
export interface Alternation {
  /** host:port, as image references want it. */
  readonly host: string;
  /** Uploads whose requests went to more than one server. */
  readonly movedUploads: () => number;
}

/** In front of servers, each `host:port`. Ended with the workspace. */
export async function startAlternation(
  workspace: Workspace,
  hosts: readonly string[],
): Promise<Alternation> {
  const backends = hosts.map((host) => new URL(`http://${host}`));
  const visited = new Map<string, Set<string>>();
  let turn = 0;
  const server = createServer((request, response) => {
    turn += 1;
    const backend = backends[turn % backends.length];
    if (!backend) throw new RangeError('no backend');
    const { hostname, port } = backend;
    const { method, url: path = '', headers } = request;
    const upload = /\/blobs\/uploads\/[^/?]+/.exec(path)?.[0];
    if (upload) visited.set(upload, (visited.get(upload) ?? new Set()).add(port));
    const onward = openRequest({ hostname, port, method, path, headers, agent: false });
    onward.on('error', () => response.destroy());
    onward.on('response', (answer) => {
      answer.on('error', () => response.destroy());
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(response);
    });
    response.on('close', () => onward.destroy());
    request.pipe(onward);
  });
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
  if (typeof address !== 'object' || !address) throw new Error('the alternation has no port');
  return {
    host: `127.0.0.1:${address.port}`,
    movedUploads: () => [...visited.values()].filter(({ size }) => size > 1).length,
  };
}
