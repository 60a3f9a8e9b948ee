import { readdir } from 'node:fs/promises';

/*
 * The kernel makes connections by itself, before a program accepts them. When a port is closed, those that wait there
 * are reset: a balancer has written a request to them, can't tell whether it was carried out, and answers 502. No
 * program accepts faster than the next one may come. So first the kernel is told, by a filter on the listening socket,
 * to pass over packets that begin a connection (SYN without ACK, RFC 9293 section 3.5); what has begun can be accepted.
 * Who is passed over asks again a second later, finds the port closed, and takes another instance.
 */

/** Of Linux, the same on every machine that Node.js runs on (asm-generic/socket.h). */
const SOL_SOCKET = 1;
const SO_ATTACH_FILTER = 26;
const SO_ACCEPTCONN = 30;

/** A sockaddr_storage: its third and fourth byte are the port, of IPv4 and of IPv6. */
const ADDRESS_BYTES = 128;
const PORT_OFFSET = 2;

/** See linux/filter.h. It reads a TCP header from its begin; 0 drops the packet. */
const SYN_FILTER = [
  { code: 0x30, jt: 0, jf: 0, k: 13 }, // load the byte of the flags
  { code: 0x54, jt: 0, jf: 0, k: 0x12 }, // of them SYN and ACK
  { code: 0x15, jt: 0, jf: 1, k: 0x02 }, // is it SYN alone?
  { code: 0x06, jt: 0, jf: 0, k: 0 },
  { code: 0x06, jt: 0, jf: 0, k: 0xffff_ffff },
];

/**
 * Lets no connection begin any more at a port on which this process listens; those that have begun can be accepted.
 * Loads koffi into this thread, which takes 20 ms.
 * @throws what tells why it can't be done here: no Linux, no koffi, nobody listens there, the system forbids it
 */
export async function holdConnections(port: number): Promise<void> {
  const sockets = await openSockets();
  const listening = (await readdir('/proc/self/fd'))
    .map(Number)
    .filter((fd) => sockets.isListening(fd) && sockets.portOf(fd) === port);
  if (listening.length === 0) throw new Error(`no socket listens on port ${port}`);
  for (const fd of listening) sockets.passOverSyn(fd);
}

/** What libc does with a socket, named by its file descriptor. */
interface Sockets {
  /** False also for what is no socket. */
  isListening(fd: number): boolean;
  portOf(fd: number): number;
  passOverSyn(fd: number): void;
}

async function openSockets(): Promise<Sockets> {
  const { load, pointer, sizeof, struct } = await import('koffi');
  const libc = load(null);
  const instruction = struct({ code: 'uint16', jt: 'uint8', jf: 'uint8', k: 'uint32' });
  const program = struct({ len: 'uint16', filter: pointer(instruction) });
  const setOption = ['int', 'int', 'int', pointer(program), 'uint32'];
  const setsockopt = libc.func('setsockopt', 'int', setOption);
  const getsockopt = libc.func(
    'int getsockopt(int fd, int level, int name, void *out, void *bytes)',
  );
  const getsockname = libc.func('int getsockname(int fd, void *out, void *bytes)');
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
    passOverSyn(fd) {
      const filter = { len: SYN_FILTER.length, filter: SYN_FILTER };
      const result: unknown = setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, filter, sizeof(program));
      expectZero(result, 'setsockopt');
    },
  };
}

function expectZero(result: unknown, name: string): void {
  if (result !== 0) throw new Error(`${name} returned ${String(result)}`);
}
