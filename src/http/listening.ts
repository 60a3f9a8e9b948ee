import type { Server } from 'node:net';
import { ListenError } from './exchange.ts';

const REASONS: Readonly<Record<string, string>> = {
  EADDRINUSE: 'it is in use',
  EADDRNOTAVAIL: 'it is not an address of this machine',
  EACCES: 'this user may not use it',
};

/**
 * Lets a server of node listen.
 * @param settings names the settings to change, where the sentence should
 * @returns the port, also where a free one was asked for
 * @throws ListenError
 */
export function startListening(
  server: Server,
  { host, port }: { readonly host: string; readonly port: number },
  settings?: string,
): Promise<number> {
  return new Promise((resolve, reject) => {
    // For good: a connection that could not be accepted, for want of file descriptors, is an error of the server too.
    server.on('error', (cause: NodeJS.ErrnoException) => {
      const place = `${host} port ${port}${settings === undefined ? '' : ` (${settings})`}`;
      const reason = REASONS[cause.code ?? ''] ?? cause.message;
      reject(new ListenError(`can't listen on ${place}: ${reason}`, { cause }));
    });
    server.listen(port, host, () => resolve(portOf(server)));
  });
}

function portOf(server: Server): number {
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('not listening on a port');
  return address.port;
}
