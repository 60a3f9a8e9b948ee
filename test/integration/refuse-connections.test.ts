import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { refuseConnections } from '../../src/http/refuse-connections.ts';

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

describe.each(['127.0.0.1', '::1'])('a port of %s that refuses', (host) => {
  test('keeps the connections that it has, and those that have begun', async () => {
    const port = await startEcho(host);
    const accepted = open(host, port);
    expect(await echo(accepted, 'before')).toBe('before');
    const begun = open(host, port);

    await refuseConnections(port);

    const [error]: unknown[] = await once(open(host, port), 'error');
    expect(error).toMatchObject({ code: 'ECONNREFUSED' });
    expect(await echo(accepted, 'after')).toBe('after');
    expect(await echo(begun, 'too')).toBe('too');
  });

  test('leaves other ports alone', async () => {
    const [refusing, other] = [await startEcho(host), await startEcho(host)];
    await refuseConnections(refusing);
    expect(await echo(open(host, other), 'here')).toBe('here');
  });
});

test('a port on which nobody listens is told', async () => {
  const port = await startEcho('127.0.0.1');
  for (const server of servers.splice(0)) server.close();
  await expect(refuseConnections(port)).rejects.toThrow(`no socket listens on port ${port}`);
});
