import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { requestHead } from '../support/raw-http.ts';
import { SeededRandom } from '../support/seeded-random.ts';
import { bodyOf, type Listen, Served, text, watch } from '../support/transport-harness.ts';
import { untilStill, waitUntil } from '../support/wait-until.ts';

const MIB = 1024 * 1024;

/** Chunks as a store gives them: each is overwritten when the next one is asked for. */
class Source implements AsyncIterable<Uint8Array> {
  readonly #bytes: Uint8Array;
  readonly #chunkBytes: number;
  readonly #failAt: number;
  asked = 0;
  isEnded = false;

  constructor(bytes: Uint8Array, chunkBytes: number, failAt = Number.POSITIVE_INFINITY) {
    this.#bytes = bytes;
    this.#chunkBytes = chunkBytes;
    this.#failAt = failAt;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array, void, undefined> {
    const chunk = Buffer.alloc(this.#chunkBytes);
    try {
      for (let from = 0; from < this.#bytes.length; from += this.#chunkBytes) {
        if (from >= this.#failAt) break;
        this.asked += 1;
        const piece = this.#bytes.subarray(from, from + this.#chunkBytes);
        chunk.set(piece);
        yield chunk.subarray(0, piece.length);
        chunk.fill(0);
        // A store reads; it is never ready in the same turn.
        await new Promise(setImmediate);
      }
      if (this.#failAt <= this.#bytes.length) throw new Error('the store failed');
    } finally {
      this.isEnded = true;
    }
  }
}

/** The part of describeTransport about answers that are streamed. */
export function describeStreams(name: string, listen: Listen): void {
  describe(`streamed answers: ${name}`, () => {
    const random = new SeededRandom(9);
    const answer = { status: 200, headers: { ETag: '"x"' } };
    let served: Served;

    beforeEach(async () => {
      served = await Served.start(listen);
    });

    afterEach(async () => {
      await served.stop();
    });

    const request = async (method = 'GET') => {
      const client = await served.connect();
      client.send(requestHead(method, '/'));
      return { client, exchange: await served.next() };
    };

    test.each([
      [1, 10],
      [1000, 10],
      [MIB, 65_536],
      [20 * MIB + 7, 512 * 1024],
    ])('%d bytes in chunks of %d arrive, and the connection goes on', async (size, chunkBytes) => {
      const bytes = random.bytes(size);
      const source = new Source(bytes, chunkBytes);
      const { client, exchange } = await request();
      const sent = exchange.stream(answer, size, source);
      const { headers, body } = await client.readAnswer();
      expect([headers.get('etag'), headers.get('content-length')]).toEqual(['"x"', String(size)]);
      expect(body.equals(bytes)).toBe(true);
      expect([await sent, source.isEnded, exchange.isOpen]).toEqual([size, true, false]);
      await served.transport.idle();
      client.send(requestHead('GET', '/'));
      (await served.next()).send(text('next'));
      expect((await client.readAnswer()).body.toString()).toBe('next');
    });

    test('a partial answer keeps its Content-Range', async () => {
      const { client, exchange } = await request();
      const headers = { 'Content-Range': 'bytes 5-9/20' };
      await exchange.stream({ status: 206, headers }, 5, new Source(Buffer.from('56789'), 2));
      const got = await client.readAnswer();
      expect([got.status, got.headers.get('content-range')]).toEqual([206, 'bytes 5-9/20']);
      expect(got.body.toString()).toBe('56789');
    });

    test('nothing is an answer of length 0', async () => {
      const { client, exchange } = await request();
      expect(await exchange.stream(answer, 0, new Source(Buffer.alloc(0), 1))).toBe(0);
      const { status, headers } = await client.readAnswer();
      expect([status, headers.get('content-length')]).toEqual([200, '0']);
    });

    test('a slow reader holds the source back, and gets every byte', async () => {
      const bytes = random.bytes(64 * MIB);
      const source = new Source(bytes, 512 * 1024);
      const { client, exchange } = await request();
      client.pauseReading();
      const sent = exchange.stream(answer, bytes.length, source);
      // It goes on until the kernel's buffers are full, and stands still then.
      const asked = await untilStill('the source', () => source.asked);
      expect(asked).toBeLessThan(64);
      const idle = watch(served.transport.idle());
      for (let i = 0; i < 5; i += 1) {
        const other = await request();
        other.exchange.send(text('others are served'));
        await other.client.readAnswer();
      }
      expect([source.asked, idle.isSettled]).toEqual([asked, false]);
      client.resumeReading();
      expect((await client.readAnswer()).body.equals(bytes)).toBe(true);
      expect(await sent).toBe(bytes.length);
      await idle.promise;
    });

    test('several streams at the same time keep apart', async () => {
      const requests: Awaited<ReturnType<typeof request>>[] = [];
      for (let i = 0; i < 10; i += 1) requests.push(await request());
      const streams = requests.map(async ({ client, exchange }, i) => {
        const bytes = Buffer.alloc(3 * MIB, `${i}`);
        const sent = exchange.stream(answer, bytes.length, new Source(bytes, 100_000));
        const { body } = await client.readAnswer();
        return body.equals(bytes) && (await sent) === bytes.length;
      });
      expect(await Promise.all(streams)).toEqual(Array(10).fill(true));
    });

    test('an error before the first chunk leaves the exchange open', async () => {
      const source = new Source(Buffer.from('never seen'), 5, 0);
      const { client, exchange } = await request();
      await expect(exchange.stream(answer, 10, source)).rejects.toThrow('the store failed');
      expect(exchange.isOpen).toBe(true);
      exchange.send(text('try again', 503));
      const { status, headers } = await client.readAnswer();
      expect([status, headers.get('etag')]).toEqual([503, undefined]);
      client.send(requestHead('GET', '/'));
      (await served.next()).send(text('next'));
      expect((await client.readAnswer()).status).toBe(200);
    });

    test('an error in the middle cuts the connection', async () => {
      const source = new Source(Buffer.alloc(MIB), 65_536, MIB / 2);
      const { client, exchange } = await request();
      await expect(exchange.stream(answer, MIB, source)).rejects.toThrow('the store failed');
      expect(exchange.isOpen).toBe(false);
      exchange.send(text('not to be seen', 503));
      const received = await client.readToEnd();
      expect(received.toString('latin1')).toMatch(
        /^HTTP\/1\.1 200 .*content-length: 1048576\r\n/is,
      );
      expect(received.length).toBeLessThan(MIB);
      await served.transport.idle();
    });

    test('a source with fewer bytes than were announced cuts the connection', async () => {
      const { client, exchange } = await request();
      const streamed = exchange.stream(answer, 1000, new Source(Buffer.alloc(500), 100));
      await Promise.allSettled([streamed]);
      await waitUntil('the cut', () => client.isClosed);
      await served.transport.idle();
    });

    test.each([
      ['at once', 1],
      ['after a while', 10 * MIB],
    ])('a client that goes away %s ends the iteration', async (_, readBytes) => {
      const bytes = Buffer.alloc(200 * MIB);
      const source = new Source(bytes, 512 * 1024);
      const { client, exchange } = await request();
      const sent = exchange.stream(answer, bytes.length, source);
      await client.read(readBytes);
      client.destroy();
      expect(await sent).toBeLessThan(bytes.length);
      expect([source.isEnded, exchange.isOpen]).toEqual([true, false]);
      await served.transport.idle();
    });

    test('a client that goes away while it does not read ends the iteration', async () => {
      const bytes = Buffer.alloc(64 * MIB);
      const source = new Source(bytes, 512 * 1024);
      const { client, exchange } = await request();
      client.pauseReading();
      const sent = exchange.stream(answer, bytes.length, source);
      await waitUntil('chunks', () => source.asked > 1);
      client.destroy();
      expect(await sent).toBeLessThan(bytes.length);
      expect(source.isEnded).toBe(true);
    });

    test('a client that was gone before the first chunk ends the iteration', async () => {
      const source = new Source(Buffer.alloc(MIB), 1000);
      const { client, exchange } = await request();
      client.destroy();
      await served.transport.idle();
      expect(await exchange.stream(answer, MIB, source)).toBe(0);
      expect(source.isEnded).toBe(true);
    });

    test('the end of the server ends the iteration', async () => {
      const source = new Source(Buffer.alloc(64 * MIB), 512 * 1024);
      const { client, exchange } = await request();
      client.pauseReading();
      const sent = exchange.stream(answer, 64 * MIB, source);
      await waitUntil('chunks', () => source.asked > 1);
      served.transport.close();
      expect(await sent).toBeLessThan(64 * MIB);
      expect(source.isEnded).toBe(true);
    });

    test.each([
      [0, 10],
      [1000, 10],
      [20 * MIB + 7, 65_536],
    ])(
      '%d bytes of a length that nobody knows arrive in chunks of %d',
      async (size, chunkBytes) => {
        const bytes = random.bytes(size);
        const source = new Source(bytes, chunkBytes);
        const { client, exchange } = await request();
        const sent = exchange.stream(answer, undefined, source);
        const { headers, body } = await client.readAnswer();
        const wanted = size === 0 ? ['0', undefined] : [undefined, 'chunked'];
        expect([headers.get('content-length'), headers.get('transfer-encoding')]).toEqual(wanted);
        expect(body.equals(bytes)).toBe(true);
        expect([await sent, source.isEnded, exchange.isOpen]).toEqual([size, true, false]);
        await served.transport.idle();
        client.send(requestHead('GET', '/'));
        (await served.next()).send(text('next'));
        expect((await client.readAnswer()).body.toString()).toBe('next');
      },
    );

    test('a slow reader holds a source of unknown length back, too', async () => {
      const bytes = random.bytes(64 * MIB);
      const source = new Source(bytes, 512 * 1024);
      const { client, exchange } = await request();
      client.pauseReading();
      const sent = exchange.stream(answer, undefined, source);
      const asked = await untilStill('the source', () => source.asked);
      expect(asked).toBeLessThan(64);
      client.resumeReading();
      expect((await client.readAnswer()).body.equals(bytes)).toBe(true);
      expect(await sent).toBe(bytes.length);
    });

    test('an error in the middle of an answer of unknown length cuts it before its end', async () => {
      const source = new Source(Buffer.alloc(MIB, 'x'), 65_536, MIB / 2);
      const { client, exchange } = await request();
      await expect(exchange.stream(answer, undefined, source)).rejects.toThrow('the store failed');
      const received = await client.readToEnd();
      expect(received.toString('latin1')).not.toMatch(/\r\n0\r\n\r\n$/);
      await served.transport.idle();
    });

    test('HEAD of an answer of unknown length asks for none of it', async () => {
      const source = new Source(Buffer.alloc(MIB), 65_536);
      const { client, exchange } = await request('HEAD');
      expect(await exchange.stream(answer, undefined, source)).toBe(0);
      const { status, headers } = await client.readAnswer('HEAD');
      expect([status, headers.get('content-length'), source.asked]).toEqual([200, undefined, 0]);
      client.send(requestHead('GET', '/'));
      (await served.next()).send(text('next'));
      expect((await client.readAnswer()).body.toString()).toBe('next');
    });

    test('a stream after the answer is dropped, and its iteration ended', async () => {
      const source = new Source(Buffer.from('two'), 3);
      const { client, exchange } = await request();
      exchange.send(text('one'));
      expect(await exchange.stream(answer, 3, source)).toBe(0);
      client.send(requestHead('GET', '/'));
      (await served.next()).send(text('three'));
      expect((await client.readAnswer()).body.toString()).toBe('one');
      expect((await client.readAnswer()).body.toString()).toBe('three');
    });
  });

  describe(`transfers without a byte: ${name}`, () => {
    test('a stalled sender and a stalled reader are cut; who was paused by us is not', async () => {
      const pace = { minBytesPerSecond: 1_000_000_000, idleTimeoutMs: 1 };
      const served = await Served.start(listen, { pace });
      const upload = async () => {
        const client = await served.connect();
        client.send(`${requestHead('PUT', '/', { 'Content-Length': 100_000_000 })}some`);
        return { client, body: bodyOf(await served.next()) };
      };
      const paused = await upload();
      const pausedEnd = watch(paused.body.deliverTo(() => paused.body.pause()));
      const reader = await served.connect();
      reader.send(requestHead('GET', '/'));
      const source = new Source(Buffer.alloc(64 * MIB), 512 * 1024);
      reader.pauseReading();
      const streamed = (await served.next()).stream({ status: 200, headers: {} }, 64 * MIB, source);
      const stalled = await upload();
      expect(await stalled.body.deliverTo(() => {})).toBe('cut');
      expect(await streamed).toBeLessThan(64 * MIB);
      expect([source.isEnded, pausedEnd.isSettled, paused.client.isClosed]).toEqual([
        true,
        false,
        false,
      ]);
      await served.stop();
    });
  });
}
