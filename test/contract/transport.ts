import { setImmediate } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { ListenError } from '../../src/http/exchange.ts';
import { RawClient, requestHead } from '../support/raw-http.ts';
import { type Listen, OPTIONS, Served, text, watch } from '../support/transport-harness.ts';
import { waitUntil } from '../support/wait-until.ts';
import { describeRequestBodies } from './transport-bodies.ts';
import { describeHeads } from './transport-heads.ts';
import { describePace } from './transport-pace.ts';
import { describeStreams } from './transport-streams.ts';
import { describeTls } from './transport-tls.ts';
import { describeWholeBodies } from './transport-whole-bodies.ts';

/** What every HTTP transport must do. A transport's own test calls it with its function that listens. */
export function describeTransport(name: string, listen: Listen): void {
  describe(`transport: ${name}`, () => {
    let served: Served;

    beforeEach(async () => {
      served = await Served.start(listen);
    });

    afterEach(async () => {
      await served.stop();
    });

    /** Sends one request on a connection of its own. */
    const request = async (...head: Parameters<typeof requestHead>) => {
      const client = await served.connect();
      client.send(requestHead(...head));
      return { client, exchange: await served.next() };
    };

    describe('a request', () => {
      test.each(['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'PROPFIND'])(
        'of the method %s',
        async (method) => {
          const { client, exchange } = await request(method, '/v2/');
          expect(exchange.method).toBe(method);
          exchange.send(text('hello'));
          expect(await client.readAnswer()).toMatchObject({
            status: 200,
            body: Buffer.from('hello'),
          });
        },
      );

      test.each([
        ['/v2/acme/hello/tags/list', '/v2/acme/hello/tags/list', ''],
        ['/v2/?n=1&last=a%2Fb', '/v2/', 'n=1&last=a%2Fb'],
        ['/v2/a%2Fb/%zz/%C3%A4/+', '/v2/a%2Fb/%zz/%C3%A4/+', ''],
        ['/a//b/../c/./', '/a//b/../c/./', ''],
        ['/a?b?c&d=e=f', '/a', 'b?c&d=e=f'],
        ['/a?', '/a', ''],
        ['/a;b=c:d@e', '/a;b=c:d@e', ''],
        [`/${'x'.repeat(2000)}`, `/${'x'.repeat(2000)}`, ''],
      ])('has path and query as they were sent: %s', async (target, path, query) => {
        const { exchange } = await request('GET', target);
        expect([exchange.path, exchange.query]).toEqual([path, query]);
      });

      test('keeps its headers, also when others have come after it', async () => {
        const first = await request('GET', '/1', { 'X-Name': 'first', 'X-EMPTY': '' });
        const second = await request('GET', '/2', { 'x-name': ' second ' });
        expect(first.exchange.header('x-name')).toBe('first');
        expect(first.exchange.header('x-empty')).toBe('');
        expect(first.exchange.header('x-other')).toBeUndefined();
        expect(second.exchange.header('x-name')).toBe('second');
        expect([first.exchange.path, first.exchange.method]).toEqual(['/1', 'GET']);
      });

      test('knows its address, and that it has no body', async () => {
        const { exchange } = await request('GET', '/');
        expect(exchange.remoteAddress).toBe('127.0.0.1');
        expect(exchange.body).toBeUndefined();
        expect((await request('POST', '/', { 'Content-Length': 0 })).exchange.body).toBeUndefined();
      });

      test('knows the address of its own connection, whatever others come from', async () => {
        const addresses = ['127.0.0.1', '127.0.0.2', '127.0.0.3'];
        const clients: RawClient[] = [];
        for (const address of addresses) {
          clients.push(await RawClient.open(served.transport.port, undefined, address));
          // Those that were there before keep theirs.
          for (const [place, client] of clients.entries()) {
            client.send(requestHead('GET', '/'));
            const exchange = await served.next();
            expect(exchange.remoteAddress).toBe(addresses[place]);
            exchange.send(text('hello'));
            await client.readAnswer();
          }
        }
        for (const client of clients) client.end();
      });
    });

    describe('an answer', () => {
      test('has the status, the headers and the length of its bytes', async () => {
        const { client, exchange } = await request('GET', '/');
        exchange.send({
          status: 404,
          headers: { 'X-A': 'b', Link: '<x>; rel="next"' },
          body: 'hä',
        });
        const { status, headers, body } = await client.readAnswer();
        expect(status).toBe(404);
        expect([...headers]).toEqual(
          expect.arrayContaining([
            ['x-a', 'b'],
            ['content-length', '3'],
          ]),
        );
        expect(headers.get('link')).toBe('<x>; rel="next"');
        expect(body.toString()).toBe('hä');
      });

      test('of bytes, larger than the kernel takes at once', async () => {
        const bytes = Buffer.alloc(20_000_000, 'pier');
        const { client, exchange } = await request('GET', '/');
        exchange.send({ status: 200, headers: {}, body: bytes });
        expect((await client.readAnswer()).body.equals(bytes)).toBe(true);
      });

      test('without body has length 0', async () => {
        const { client, exchange } = await request('PUT', '/');
        exchange.send({ status: 201, headers: { Location: '/x' } });
        const { status, headers } = await client.readAnswer();
        expect([status, headers.get('location'), headers.get('content-length')]).toEqual([
          201,
          '/x',
          '0',
        ]);
      });

      test('to HEAD is measured and not sent, and the connection goes on', async () => {
        const { client, exchange } = await request('HEAD', '/');
        exchange.send(text('hello'));
        expect((await client.readAnswer('HEAD')).headers.get('content-length')).toBe('5');
        client.send(requestHead('HEAD', '/'));
        const headers = { 'Content-Length': '5000000000' };
        (await served.next()).send({ status: 200, headers });
        expect((await client.readAnswer('HEAD')).headers.get('content-length')).toBe('5000000000');
        client.send(requestHead('GET', '/'));
        (await served.next()).send(text('still here'));
        expect((await client.readAnswer()).body.toString()).toBe('still here');
      });

      test.each([204, 304])('%d has no body, and the connection goes on', async (status) => {
        const { client, exchange } = await request('GET', '/');
        exchange.send({ status, headers: { ETag: '"x"' }, body: 'not to be seen' });
        const { headers } = await client.readAnswer();
        expect(headers.get('etag')).toBe('"x"');
        expect(headers.get('transfer-encoding')).toBeUndefined();
        if (status === 204) expect(headers.get('content-length')).toBeUndefined();
        client.send(requestHead('GET', '/'));
        (await served.next()).send(text('next'));
        expect((await client.readAnswer()).body.toString()).toBe('next');
      });

      test('is given once: what comes after it is dropped', async () => {
        const { client, exchange } = await request('GET', '/');
        expect(exchange.isOpen).toBe(true);
        exchange.send(text('one'));
        expect(exchange.isOpen).toBe(false);
        exchange.send(text('two'));
        client.send(requestHead('GET', '/'));
        (await served.next()).send(text('three'));
        expect((await client.readAnswer()).body.toString()).toBe('one');
        expect((await client.readAnswer()).body.toString()).toBe('three');
      });

      test('to a client that has gone is dropped', async () => {
        const { client, exchange } = await request('GET', '/');
        client.destroy();
        await served.transport.idle();
        expect(exchange.isOpen).toBe(false);
        exchange.send(text('too late'));
      });

      test('may come in another order than the requests of several connections', async () => {
        const all = await Promise.all(Array.from({ length: 20 }, () => served.connect()));
        const answers = all.map(async (client, i) => {
          client.send(requestHead('GET', `/${i}`));
          return (await client.readAnswer()).body.toString();
        });
        const exchanges = await Promise.all(all.map(() => served.next()));
        for (const exchange of exchanges.toReversed()) exchange.send(text(exchange.path));
        expect(await Promise.all(answers)).toEqual(all.map((_, i) => `/${i}`));
      });
    });

    test('many requests on one connection, with and without body', async () => {
      const client = await served.connect();
      for (let i = 0; i < 100; i += 1) {
        const body = 'x'.repeat(i % 3 === 0 ? 0 : i * 10);
        client.send(requestHead('POST', `/${i}`, { 'Content-Length': body.length }) + body);
        const exchange = await served.next();
        const read = (await exchange.body?.readAll(10_000)) ?? '';
        exchange.send(text(`${exchange.path} ${read.length}`));
        expect((await client.readAnswer()).body.toString()).toBe(`/${i} ${body.length}`);
      }
    });

    test('Connection: close ends the connection after the answer', async () => {
      const { client, exchange } = await request('GET', '/', { Connection: 'close' });
      exchange.send(text('bye'));
      expect((await client.readToEnd()).toString()).toMatch(/^HTTP\/1\.1 200 .*\r\n\r\nbye$/s);
    });

    describe('the end of a server', () => {
      test('idle is at once where nothing runs', async () => {
        await served.transport.idle();
        const { client, exchange } = await request('GET', '/');
        exchange.send(text('done'));
        await client.readAnswer();
        await served.transport.idle();
      });

      test('it accepts no connection any more, and running exchanges end in peace', async () => {
        const { client, exchange } = await request('GET', '/');
        served.transport.stopAccepting();
        served.transport.stopAccepting();
        await expect(served.connect()).rejects.toMatchObject({ code: 'ECONNREFUSED' });
        const idle = watch(served.transport.idle());
        await setImmediate();
        expect(idle.isSettled).toBe(false);
        exchange.send(text('in peace'));
        await idle.promise;
        expect((await client.readAnswer()).body.toString()).toBe('in peace');
      });

      test('a handler that is busy after its answer is waited for', async () => {
        let finish = () => {};
        const busy = new Promise<void>((resolve) => {
          finish = resolve;
        });
        const transport = await listen(OPTIONS, (exchange) => {
          exchange.send(text('early'));
          return busy;
        });
        const client = await RawClient.open(transport.port);
        client.send(requestHead('GET', '/'));
        expect((await client.readAnswer()).body.toString()).toBe('early');
        const idle = watch(transport.idle());
        await setImmediate();
        expect(idle.isSettled).toBe(false);
        finish();
        await idle.promise;
        transport.close();
      });

      test('close cuts every connection', async () => {
        const waiting = await request('GET', '/');
        const idle = await served.connect();
        await waitUntil('both connections', () => served.transport.connections === 2);
        served.transport.close();
        await Promise.all([waiting.client.closed(), idle.closed(), served.transport.idle()]);
        expect(waiting.exchange.isOpen).toBe(false);
        expect(served.transport.connections).toBe(0);
      });
    });

    describe('an address that cannot be listened on is a ListenError', () => {
      test.each([
        ['a port in use', '127.0.0.1', () => served.transport.port],
        ['an address of another machine', '203.0.113.1', () => 0],
      ])('%s', async (_, host, port) => {
        const listening = listen({ ...OPTIONS, host, port: port() }, () => Promise.resolve());
        await expect(listening).rejects.toThrow(ListenError);
        await expect(listening).rejects.toThrow(host);
      });

      test('a port is free again after its server has stopped accepting', async () => {
        const { port } = served.transport;
        served.transport.stopAccepting();
        const other = await listen({ ...OPTIONS, port }, async (exchange) =>
          exchange.send(text('other')),
        );
        const client = await served.connect();
        client.send(requestHead('GET', '/'));
        expect((await client.readAnswer()).body.toString()).toBe('other');
        other.close();
      });
    });
  });

  describeHeads(name, listen);
  describeRequestBodies(name, listen);
  describeWholeBodies(name, listen);
  describeStreams(name, listen);
  describePace(name, listen);
  describeTls(name, listen);
}
