import { connect, createServer, type Socket } from 'node:net';
import type { Workspace } from './workspace.ts';

/** A plain TCP balancer: it knows of connections, and nothing of what goes over them. */
export interface Balancer {
  /** host:port, as image references want it. */
  readonly host: string;
  readonly url: string;
  /** Connections so far, for each backend. */
  readonly connections: () => readonly number[];
  /** New connections all go to this backend; undefined: in turn again. Those that are open stay. */
  pin(backend: number | undefined): void;
  /** Breaks the connections to a backend; no new one goes there. */
  drop(backend: number): void;
}

interface Backend {
  readonly hostname: string;
  readonly port: number;
  readonly sockets: Set<Socket>;
  connections: number;
  isDropped: boolean;
}

/** In front of servers, each `host:port`; connections go to them in turn. Ended with the workspace. */
export async function startBalancer(
  workspace: Workspace,
  hosts: readonly string[],
): Promise<Balancer> {
  const backends = hosts.map(backendAt);
  let turn = 0;
  let pinned: number | undefined;
  const choose = (): Backend | undefined => {
    if (pinned !== undefined) return backends[pinned];
    const alive = backends.filter(({ isDropped }) => !isDropped);
    turn += 1;
    return alive[turn % alive.length];
  };
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (near) => {
    const backend = choose();
    if (backend && !backend.isDropped) relay(near, backend);
    else near.destroy();
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  workspace.defer(async () => {
    server.close();
    for (const backend of backends) breakConnections(backend);
  });
  const address = server.address();
  if (typeof address !== 'object' || !address) throw new Error('the balancer has no port');
  const host = `127.0.0.1:${address.port}`;
  return {
    host,
    url: `http://${host}`,
    connections: () => backends.map(({ connections }) => connections),
    pin: (backend) => {
      pinned = backend;
    },
    drop: (index) => {
      const backend = backends[index];
      if (!backend) throw new RangeError(`no backend ${index}`);
      backend.isDropped = true;
      breakConnections(backend);
    },
  };
}

function backendAt(host: string): Backend {
  const { hostname, port } = new URL(`http://${host}`);
  return { hostname, port: Number(port), sockets: new Set(), connections: 0, isDropped: false };
}

function breakConnections({ sockets }: Backend): void {
  for (const socket of sockets) socket.destroy();
}

/** Bytes and ends go on as they come; what breaks on one side is broken on the other. */
function relay(near: Socket, backend: Backend): void {
  const { hostname, port, sockets } = backend;
  backend.connections += 1;
  const far = connect({ host: hostname, port, allowHalfOpen: true, noDelay: true });
  for (const [socket, other] of [
    [near, far],
    [far, near],
  ] as const) {
    sockets.add(socket);
    socket.pipe(other);
    socket.on('error', () => other.destroy());
    socket.once('close', () => {
      sockets.delete(socket);
      if (!socket.readableEnded) other.destroy();
    });
  }
}
