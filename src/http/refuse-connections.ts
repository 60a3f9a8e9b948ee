import { readdir } from 'node:fs/promises';

/*
 * The kernel makes connections by itself, before a program accepts them. When a port is closed, those that wait there
 * are reset: a balancer has written a request to them, can't tell whether it was carried out, and answers 502. No
 * program accepts faster than the next one may come. So first the listening socket is bound to a network interface that
 * doesn't exist: the kernel refuses who comes by another one, as if the port were closed, and what has begun can still
 * be accepted. A user without privileges may do so from Linux 5.7 on.
 */

/** Of Linux, the same on every machine that Node.js runs on (asm-generic/socket.h). */
const SOL_SOCKET = 1;
const SO_ACCEPTCONN = 30;
const SO_BINDTOIFINDEX = 62;

/** The kernel counts interfaces from 1. */
const NO_INTERFACE = 0x7fff_ffff;

/** A sockaddr_storage: its third and fourth byte are the port, of IPv4 and of IPv6. */
const ADDRESS_BYTES = 128;
const PORT_OFFSET = 2;

/**
 * Refuses new connections at a port on which this process listens; those that have begun can be accepted.
 * Loads koffi into this thread, which takes 20 ms.
 * @throws what tells why it can't be done here: no Linux, no koffi, nobody listens there, the system forbids it
 */
export async function refuseConnections(port: number): Promise<void> {
  const sockets = await openSockets();
  const listening = (await readdir('/proc/self/fd'))
    .map(Number)
    .filter((fd) => sockets.isListening(fd) && sockets.portOf(fd) === port);
  if (listening.length === 0) throw new Error(`no socket listens on port ${port}`);
  for (const fd of listening) sockets.bindToInterface(fd, NO_INTERFACE);
}

/** What libc does with a socket, named by its file descriptor. */
interface Sockets {
  /** False also for what is no socket. */
  isListening(fd: number): boolean;
  portOf(fd: number): number;
  bindToInterface(fd: number, index: number): void;
}

async function openSockets(): Promise<Sockets> {
  const { errno, load } = await import('koffi');
  const libc = load(null);
  const setsockopt = libc.func(
    'int setsockopt(int fd, int level, int name, void *value, uint32 bytes)',
  );
  const getsockopt = libc.func(
    'int getsockopt(int fd, int level, int name, void *out, void *bytes)',
  );
  const getsockname = libc.func('int getsockname(int fd, void *out, void *bytes)');
  const expectZero = (result: unknown, name: string) => {
    if (result !== 0) throw new Error(`${name} failed with errno ${errno()}`);
  };
  return {
    isListening(fd) {
      const out = new Uint32Array(1);
      const bytes = new Uint32Array([out.byteLength]);
      return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, out, bytes) === 0 && out[0] === 1;
    },
    portOf(fd) {
      const out = Buffer.alloc(ADDRESS_BYTES);
      expectZero(getsockname(fd, out, new Uint32Array([out.length])), 'getsockname');
      return out.readUInt16BE(PORT_OFFSET);
    },
    bindToInterface(fd, index) {
      const value = new Uint32Array([index]);
      const result: unknown = setsockopt(fd, SOL_SOCKET, SO_BINDTOIFINDEX, value, value.byteLength);
      expectZero(result, 'setsockopt');
    },
  };
}
