import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, describe, expect, test } from 'vitest';
import { holdConnections } from '../../src/http/hold-connections.ts';

/** Connections of one machine begin within some microseconds. */
const LONG_MS = 300;

const servers: Server[] = [];
const clients: Socket[] = [];

afterEach(() => {
  for (const client of clients.splice(0)) client.destroy();
  for (const server of servers.splice(0)) server.close();
});

/** Answers with what it gets. */
async function startEcho(host: string): Promise<number> {
  const server = createServer((socket) => socket.pipe(socket));
  servers.push(server);
  server.listen(0, host);
  await once(server, 'listening');
  const { port }: AddressInfo = Object(server.address());
  return port;
}

function open(host: string, port: number): Socket {
  const client = connect(port, host);
  client.setNoDelay();
  clients.push(client);
  return client;
}

async function echo(client: Socket, text: string): Promise<string> {
  client.write(text);
  const [bytes]: unknown[] = await once(client, 'data');
  return String(bytes);
}

describe.each(['127.0.0.1', '::1'])('a port of %s that is held', (host) => {
  test('begins no connection, keeps those it has, and is refused once it is closed', async () => {
    const port = await startEcho(host);
    const early = open(host, port);
    expect(await echo(early, 'before')).toBe('before');

    await holdConnections(port);

    const late = open(host, port);
    let isConnected = false;
    late.once('connect', () => {
      isConnected = true;
    });
    await delay(LONG_MS);
    expect(isConnected).toBe(false);
    expect(await echo(early, 'after')).toBe('after');
    for (const server of servers) server.close();
    const [error]: unknown[] = await once(late, 'error');
    expect(error).toMatchObject({ code: 'ECONNREFUSED' });
    expect(await echo(early, 'still')).toBe('still');
  });

  test('has connections of other ports begin', async () => {
    const [held, other] = [await startEcho(host), await startEcho(host)];
    await holdConnections(held);
    expect(await echo(open(host, other), 'here')).toBe('here');
  });
});

test('a port on which nobody listens is told', async () => {
  const port = await startEcho('127.0.0.1');
  for (const server of servers.splice(0)) server.close();
  await expect(holdConnections(port)).rejects.toThrow(`no socket listens on port ${port}`);
});
