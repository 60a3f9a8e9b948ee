import { createServer } from 'node:http';
import { forward, listenInWorkspace } from './forwarding.ts';
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
    const upload = /\/blobs\/uploads\/[^/?]+/.exec(request.url ?? '')?.[0];
    if (upload) visited.set(upload, (visited.get(upload) ?? new Set()).add(port));
    forward(request, response, { hostname, port }).on('response', (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(response);
    });
  });
  const host = await listenInWorkspace(workspace, server);
  return {
    host,
    movedUploads: () => [...visited.values()].filter(({ size }) => size > 1).length,
  };
}
