import { connect, createServer, type Socket } from 'node:net';
import type { Workspace } from './workspace.ts';

/** A way to a server that takes its time. */
export interface DistantServer {
  /** host:port */
  readonly host: string;
  /** Connections so far. */
  readonly connections: () => number;
}

/**
 * Stands before a server and lets every byte, and the end of every connection, arrive `delayMs` later in either
 * direction: what crosses on the wire does so here too. Ended with the workspace.
 */
export async function startDistantServer(
  workspace: Workspace,
  server: string,
  delayMs: number,
): Promise<DistantServer> {
  const { hostname, port } = new URL(`http://${server}`);
  const sockets = new Set<Socket>();
  let connections = 0;
  const relay = createServer({ allowHalfOpen: true, noDelay: true }, (near) => {
    connections += 1;
    const far = connect({ host: hostname, port: Number(port), allowHalfOpen: true, noDelay: true });
    for (const socket of [near, far]) {
      sockets.add(socket);
      socket.once('close', () => sockets.delete(socket));
    }
    passOn(near, far, delayMs);
    passOn(far, near, delayMs);
  });
  await new Promise<void>((resolve, reject) => {
    relay.once('error', reject);
    relay.listen(0, '127.0.0.1', resolve);
  });
  workspace.defer(async () => {
    relay.close();
    for (const socket of sockets) socket.destroy();
  });
  const address = relay.address();
  if (typeof address !== 'object' || !address) throw new Error('the relay has no port');
  return { host: `127.0.0.1:${address.port}`, connections: () => connections };
}

/** Timers of one length fire in the order in which they were set, so bytes stay in order. */
function passOn(from: Socket, to: Socket, delayMs: number): void {
  const later = (act: () => void) => void setTimeout(act, delayMs);
  from.on('data', (bytes) => later(() => to.writable && to.write(bytes)));
  from.on('end', () => later(() => to.end()));
  // A reset arrives as one: close follows.
  from.on('error', () => undefined);
  from.on('close', (hadError) => later(() => (hadError ? to.resetAndDestroy() : to.end())));
}
