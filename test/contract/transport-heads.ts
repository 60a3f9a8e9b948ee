import { setTimeout as delay, setImmediate } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type RawClient, requestHead } from '../support/raw-http.ts';
import { type Listen, Served, text, watch } from '../support/transport-harness.ts';

/** Sends a head that never ends, slowly, until the server has enough of it. */
async function trickleHead(client: RawClient): Promise<void> {
  client.send('GET / HTTP/1.1\r\nHost: registry.example\r\nX-Slow: ');
  while (!client.isClosed) {
    client.send('x');
    await Promise.race([delay(1000), client.closed()]);
  }
}

/** The part of describeTransport about heads of requests and answers. */
export function describeHeads(name: string, listen: Listen): void {
  describe(`heads: ${name}`, () => {
    let served: Served;

    beforeEach(async () => {
      served = await Served.start(listen);
    });

    afterEach(async () => {
      await served.stop();
    });

    const request = async (head: string) => {
      const client = await served.connect();
      client.send(head);
      return { client, exchange: await served.next() };
    };

    test('several lines of a header of a request are joined', async () => {
      const lines = [
        'Accept: a/b',
        'X-Other: 1',
        'accept: c/d;q=0.5, e/f',
        'Host: registry.example',
      ];
      const { exchange } = await request(`GET / HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n`);
      expect(exchange.header('accept')).toBe('a/b, c/d;q=0.5, e/f');
      expect(exchange.header('x-other')).toBe('1');
    });

    test('several values of a header of an answer are a line each', async () => {
      const { client, exchange } = await request(requestHead('GET', '/'));
      const values = ['Bearer realm="a,b"', 'Basic realm="c"'];
      exchange.send({ status: 401, headers: { 'WWW-Authenticate': values }, body: 'who?' });
      const { headerLines } = await client.readAnswer();
      expect(headerLines).toEqual(
        expect.arrayContaining(values.map((value) => `WWW-Authenticate: ${value}`)),
      );
    });

    test('a head of 12 KiB passes', async () => {
      const token = 'x'.repeat(12 * 1024);
      const { client, exchange } = await request(requestHead('GET', '/', { Authorization: token }));
      expect(exchange.header('authorization')).toBe(token);
      exchange.send(text('long'));
      expect((await client.readAnswer()).status).toBe(200);
    });

    test.each([
      ['at once', 30_000],
      ['in pieces', 1000],
    ])('a head of 20 KiB that comes %s is refused', async (_, pieceBytes) => {
      const head = Buffer.from(requestHead('GET', '/', { Authorization: 'x'.repeat(20 * 1024) }));
      const client = await served.connect();
      for (let from = 0; from < head.length; from += pieceBytes) {
        client.send(head.subarray(from, from + pieceBytes));
        await setImmediate();
      }
      expect((await client.readToEnd()).toString()).toMatch(/^HTTP\/1\.1 431 /);
    });

    test.each([
      ['two lengths', 'Content-Length: 5\r\nContent-Length: 6'],
      ['a length that is no number', 'Content-Length: five'],
      ['a length and chunks', 'Content-Length: 5\r\nTransfer-Encoding: chunked'],
      ['an unknown transfer coding', 'Transfer-Encoding: rot13'],
    ])('a request with %s is refused, and what follows it is not read', async (_, lines) => {
      const client = await served.connect();
      const next = watch(served.next());
      client.send(`PUT / HTTP/1.1\r\nHost: a\r\n${lines}\r\n\r\n${requestHead('GET', '/next')}`);
      expect((await client.readToEnd()).toString()).not.toMatch(/^HTTP\/1\.1 2/);
      if (!next.isSettled) return;
      // Its head alone looked right.
      const { path, isOpen } = await next.promise;
      expect([path, isOpen]).toEqual(['/', false]);
    });

    test('a head that comes too slowly is cut, on a new connection and on one that was used', async () => {
      const fresh = await served.connect();
      const { client: used, exchange } = await request(requestHead('GET', '/'));
      exchange.send(text('first'));
      await used.readAnswer();
      await Promise.all([trickleHead(fresh), trickleHead(used)]);
      for (const client of [fresh, used]) {
        expect((await client.readToEnd()).toString()).not.toMatch(/^HTTP\/1\.1 200/);
      }
    });

    test('requests that were sent at once are answered one after the other', async () => {
      const heads = ['/1', '/2', '/3'].map((path) => requestHead('GET', path));
      const { client, exchange } = await request(heads.join(''));
      expect(exchange.path).toBe('/1');
      const second = served.next();
      exchange.send(text('one'));
      expect((await second).path).toBe('/2');
      const third = served.next();
      (await second).send(text('two'));
      (await third).send(text('three'));
      const bodies = [
        await client.readAnswer(),
        await client.readAnswer(),
        await client.readAnswer(),
      ];
      expect(bodies.map(({ body }) => body.toString())).toEqual(['one', 'two', 'three']);
    });

    test.each(['the client', 'the server'])(
      'an answer before the body was read reaches its client, where %s closes the connection then',
      async (who) => {
        const [size, piece] = [30_000_000, Buffer.alloc(100_000)];
        const close = who === 'the client' ? { Connection: 'close' } : {};
        const { client, exchange } = await request(
          requestHead('PUT', '/', { 'Content-Length': size, ...close }),
        );
        if (who === 'the server') served.transport.stopAccepting();
        // What the client hasn't read when it is told of a reset is lost.
        client.pauseReading();
        exchange.send(text('who are you?', 401));
        await client.sendAll(Array(size / piece.length).fill(piece));
        client.resumeReading();
        const { status, body } = await client.readAnswer();
        expect([status, body.toString()]).toEqual([401, 'who are you?']);
      },
    );

    test.each([
      ['goes on and on', 200_000_000],
      ['stops when it has it', 1_000_000],
    ])('the same for a client that closes, and %s', async (_, sentBytes) => {
      const head = { 'Content-Length': 1_000_000_000, Connection: 'close' };
      const { client, exchange } = await request(requestHead('PUT', '/', head));
      exchange.send(text('who are you?', 401));
      for (let sent = 0; sent < sentBytes && !client.isClosed; sent += 1_000_000) {
        await Promise.race([client.sendAll([Buffer.alloc(1_000_000)]), client.closed()]);
      }
      expect((await client.readToEnd()).toString()).toMatch(/^HTTP\/1\.1 401 .*who are you\?/s);
      await served.transport.idle();
    });

    test('answers of a server that accepts no more say Connection: close', async () => {
      const running = await request(requestHead('GET', '/'));
      const late = await served.connect();
      const idle = await request(requestHead('GET', '/'));
      idle.exchange.send(text('before'));
      const before = await idle.client.readAnswer();
      served.transport.stopAccepting();
      running.exchange.send(text('after'));
      const after = await running.client.readAnswer();
      expect([before, after].map(({ headers }) => headers.get('connection') === 'close')).toEqual([
        false,
        true,
      ]);
      for (const client of [late, idle.client]) {
        client.send(requestHead('GET', '/late'));
        (await served.next()).send(text('late'));
        expect((await client.readAnswer()).headers.get('connection')).toBe('close');
      }
    });
  });
}
