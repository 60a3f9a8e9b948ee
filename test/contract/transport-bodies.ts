import { setImmediate } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Exchange } from '../../src/http/exchange.ts';
import { FRAMINGS, type RawClient, requestHead } from '../support/raw-http.ts';
import { SeededRandom } from '../support/seeded-random.ts';
import { bodyOf, collect, type Listen, Served, text, watch } from '../support/transport-harness.ts';
import { waitUntil } from '../support/wait-until.ts';

const MIB = 1024 * 1024;

/** The part of describeTransport about bodies of requests. */
export function describeRequestBodies(name: string, listen: Listen): void {
  describe(`bodies of requests: ${name}`, () => {
    const random = new SeededRandom(8);
    let served: Served;

    beforeEach(async () => {
      served = await Served.start(listen);
    });

    afterEach(async () => {
      await served.stop();
    });

    /** The connection works: one request after whatever was before. */
    const expectNextAnswered = async (client: RawClient) => {
      client.send(requestHead('GET', '/next'));
      const exchange = await served.next();
      expect(exchange.path).toBe('/next');
      exchange.send(text('next'));
      expect((await client.readAnswer()).body.toString()).toBe('next');
    };

    const open = async (headers: Readonly<Record<string, string | number>>) => {
      const client = await served.connect();
      client.send(requestHead('PUT', '/', headers));
      const exchange = await served.next();
      return { client, exchange, body: bodyOf(exchange) };
    };

    describe.each(FRAMINGS)('$framing', ({ framing, headers, frame, tail }) => {
      const openBody = (length: number) => open(headers(length));
      const sendBody = async (client: RawClient, bytes: Uint8Array, maxPiece: number) => {
        await client.sendAll([...random.cut(bytes, maxPiece)].map(frame));
        client.send(tail);
      };

      test.each([1, 1000, 65_536, MIB, 5 * MIB + 1])('%d bytes arrive', async (size) => {
        const bytes = random.bytes(size);
        const { client, exchange, body } = await openBody(size);
        expect(body.announcedBytes).toBe(framing === 'chunked' ? undefined : size);
        const collected = collect(body);
        await sendBody(client, bytes, 100_000);
        expect((await collected).end).toBe('complete');
        expect((await collected).bytes.equals(bytes)).toBe(true);
        expect(exchange.isOpen).toBe(true);
        exchange.send(text('stored', 201));
        expect((await client.readAnswer()).status).toBe(201);
        await expectNextAnswered(client);
      });

      test('pieces of few bytes arrive in order', async () => {
        const bytes = random.bytes(3000);
        const { client, body } = await openBody(bytes.length);
        const collected = collect(body);
        await sendBody(client, bytes, 3);
        expect((await collected).bytes.equals(bytes)).toBe(true);
      });

      test('bodies that came with their heads are whole when they are asked for later', async () => {
        const bodies = [random.bytes(30_000), random.bytes(30_000), random.bytes(30_000)];
        for (const bytes of bodies) {
          const head = requestHead('PUT', '/', headers(bytes.length));
          const pieces = [Buffer.from(head), frame(bytes), Buffer.from(tail)];
          (await served.connect()).send(Buffer.concat(pieces));
        }
        const exchanges = [await served.next(), await served.next(), await served.next()];
        const received = await Promise.all(exchanges.map((exchange) => collect(bodyOf(exchange))));
        const sorted = (all: readonly Buffer[]) => all.map((one) => one.toString('hex')).toSorted();
        expect(sorted(received.map(({ bytes }) => bytes))).toEqual(sorted(bodies));
      });

      test('a body that nobody takes yet holds its sender back, and is whole later', async () => {
        const bytes = random.bytes(40 * MIB);
        const { client, body } = await openBody(bytes.length);
        const sent = sendBody(client, bytes, MIB);
        for (let i = 0; i < 5; i += 1) await expectNextAnswered(await served.connect());
        expect(client.unsentBytes).toBeGreaterThan(0);
        const collected = await collect(body);
        await sent;
        expect(collected.end).toBe('complete');
        expect(collected.bytes.equals(bytes)).toBe(true);
      });

      test('a sink that pauses gets no more than was read already, and its sender is held back', async () => {
        const bytes = random.bytes(40 * MIB);
        const { client, body } = await openBody(bytes.length);
        const chunks: Buffer[] = [];
        let isPaused = false;
        let bytesAfterPause = 0;
        const ended = watch(
          body.deliverTo((chunk) => {
            chunks.push(Buffer.from(chunk));
            if (isPaused) bytesAfterPause += chunk.length;
            if (chunks.length % 16 !== 1) return;
            isPaused = true;
            bytesAfterPause = 0;
            body.pause();
          }),
        );
        const sent = sendBody(client, bytes, MIB);
        await waitUntil('a pause', () => isPaused);
        for (let i = 0; i < 5; i += 1) await expectNextAnswered(await served.connect());
        expect(client.unsentBytes).toBeGreaterThan(0);
        expect(bytesAfterPause).toBeLessThanOrEqual(MIB);
        while (!ended.isSettled) {
          isPaused = false;
          body.resume();
          await setImmediate();
        }
        await sent;
        expect(await ended.promise).toBe('complete');
        expect(Buffer.concat(chunks).equals(bytes)).toBe(true);
      });

      test('memory is bounded, whatever the length and however slow the sink', async () => {
        const piece = Buffer.alloc(256 * 1024, 'x');
        const size = 256 * MIB;
        const { client, body } = await openBody(size);
        const before = process.memoryUsage.rss();
        let most = 0;
        let bytes = 0;
        const ended = body.deliverTo((chunk) => {
          bytes += chunk.length;
          most = Math.max(most, process.memoryUsage.rss());
          body.pause();
          void setImmediate().then(() => body.resume());
        });
        await client.sendAll(Array(size / piece.length).fill(frame(piece)));
        client.send(tail);
        expect([await ended, bytes]).toEqual(['complete', size]);
        expect(most - before).toBeLessThan(128 * MIB);
      });

      describe.each([300_000, 5000])(
        'a sender that goes away in the middle, after %d bytes,',
        (sentBytes) => {
          const cutBody = async () => {
            const opened = await openBody(1_000_000);
            const bytes = random.bytes(sentBytes);
            await opened.client.sendAll([...random.cut(bytes, 50_000)].map(frame));
            return { ...opened, bytes };
          };
          const expectCut = async (
            exchange: Exchange,
            bytes: Buffer,
            collected: ReturnType<typeof collect>,
          ) => {
            expect((await collected).end).toBe('cut');
            expect((await collected).bytes.equals(bytes)).toBe(true);
            expect(exchange.isOpen).toBe(false);
            await served.transport.idle();
          };

          test('leaves what it sent', async () => {
            const { client, exchange, body, bytes } = await cutBody();
            const collected = collect(body);
            client.end();
            await expectCut(exchange, bytes, collected);
          });

          test('leaves what it sent, also when it went before anyone asked', async () => {
            const { client, exchange, body, bytes } = await cutBody();
            client.end();
            await expectNextAnswered(await served.connect());
            await expectCut(exchange, bytes, collect(body));
          });

          test('while its receiver had paused', async () => {
            const { client, exchange, body, bytes } = await cutBody();
            const collected = collect(body);
            body.pause();
            client.end();
            await expectNextAnswered(await served.connect());
            body.resume();
            await expectCut(exchange, bytes, collected);
          });

          test('without a word', async () => {
            const { client, exchange, body, bytes } = await cutBody();
            let received = 0;
            const ended = body.deliverTo((chunk) => {
              received += chunk.length;
            });
            await waitUntil('its bytes', () => received === bytes.length);
            client.destroy();
            expect(await ended).toBe('cut');
            expect(exchange.isOpen).toBe(false);
          });

          test('counts as gone when the server closes', async () => {
            const { body, bytes } = await cutBody();
            let received = 0;
            const ended = body.deliverTo((chunk) => {
              received += chunk.length;
            });
            await waitUntil('its bytes', () => received === bytes.length);
            served.transport.close();
            expect(await ended).toBe('cut');
          });
        },
      );

      describe('an answer before the body was read', () => {
        test('reaches its client, and the connection goes on: 30 MB', async () => {
          const { client, exchange } = await openBody(30_000_000);
          exchange.send(text('who are you?', 401));
          const piece = Buffer.alloc(100_000);
          await client.sendAll(Array(300).fill(frame(piece)));
          client.send(tail);
          const { status, body } = await client.readAnswer();
          expect([status, body.toString()]).toEqual([401, 'who are you?']);
          await expectNextAnswered(client);
        });

        test('the same where a part had been read', async () => {
          const { client, exchange, body } = await openBody(5_000_000);
          void body.deliverTo(() => {
            body.pause();
            if (exchange.isOpen) exchange.send(text('enough', 413));
          });
          await client.sendAll(Array(50).fill(frame(Buffer.alloc(100_000))));
          client.send(tail);
          expect((await client.readAnswer()).status).toBe(413);
          await expectNextAnswered(client);
        });

        test('reaches its client while the body still comes, and is not taken back: 256 MiB', async () => {
          const size = 256 * MIB;
          const { client, exchange } = await openBody(size);
          exchange.send(text('no', 403));
          expect((await client.readAnswer()).status).toBe(403);
          await client.sendAll(Array(size / MIB).fill(frame(Buffer.alloc(MIB))));
          client.send(tail);
          await expectNextAnswered(client);
        });
      });

      describe('readAll', () => {
        test.each([
          [999, 'a body below the limit'],
          [1000, 'a body as long as the limit'],
        ])('of %d bytes: %s', async (size) => {
          const bytes = random.bytes(size);
          const { client, body } = await openBody(size);
          const read = body.readAll(1000);
          await sendBody(client, bytes, 100);
          expect(Buffer.from(await read).equals(bytes)).toBe(true);
        });

        test('one byte too many is too large, and can be answered', async () => {
          const { client, exchange, body } = await openBody(1001);
          const read = body.readAll(1000);
          await sendBody(client, random.bytes(1001), 100);
          expect(await read).toBe('too-large');
          exchange.send(text('too large', 413));
          expect((await client.readAnswer()).status).toBe(413);
          await expectNextAnswered(client);
        });

        test('does not wait for the end of a body that is too large already', async () => {
          const { client, exchange, body } = await openBody(1_000_000);
          const answered = body
            .readAll(1000)
            .then((read) => exchange.send(text(String(read), 413)));
          client.send(frame(random.bytes(2000)));
          await waitUntil('the answer', () => !exchange.isOpen);
          await answered;
          expect((await client.readAnswer()).body.toString()).toBe('too-large');
        });

        test('a cut body is cut', async () => {
          const { client, body } = await openBody(1000);
          client.send(frame(random.bytes(500)));
          const read = body.readAll(1000);
          client.end();
          expect(await read).toBe('cut');
        });
      });

      test('Expect: 100-continue is answered before the body', async () => {
        const { client, exchange, body } = await open({ ...headers(5), Expect: '100-continue' });
        const read = body.readAll(100);
        expect((await client.readAnswer()).status).toBe(100);
        client.send(frame(Buffer.from('hello')));
        client.send(tail);
        expect(Buffer.from(await read).toString()).toBe('hello');
        exchange.send(text('done'));
        expect((await client.readAnswer()).status).toBe(200);
        await expectNextAnswered(client);
      });
    });
  });
}
