import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { FRAMINGS, requestHead } from '../support/raw-http.ts';
import { SeededRandom } from '../support/seeded-random.ts';
import { bodyOf, collect, type Listen, Served, text } from '../support/transport-harness.ts';

const MAX_BYTES = 40_000;

/** The part of describeTransport about bodies that may have come with their heads. */
export function describeWholeBodies(name: string, listen: Listen): void {
  describe.each(FRAMINGS)(`takeWhole: ${name}, $framing`, ({ headers, frame, tail }) => {
    const random = new SeededRandom(9);
    let served: Served;

    beforeEach(async () => {
      served = await Served.start(listen);
    });

    afterEach(async () => {
      await served.stop();
    });

    /** A request whose head and `sent` bytes are one write. */
    const openWith = async (length: number, sent: Uint8Array, end: string) => {
      const client = await served.connect();
      const head = Buffer.from(requestHead('PUT', '/', headers(length)));
      client.send(Buffer.concat([head, sent, Buffer.from(end)]));
      const exchange = await served.next();
      const expectAnswered = async () => {
        exchange.send(text('stored', 201));
        expect((await client.readAnswer()).status).toBe(201);
        client.send(requestHead('GET', '/next'));
        (await served.next()).send(text('next'));
        expect((await client.readAnswer()).body.toString()).toBe('next');
      };
      return { client, body: bodyOf(exchange), expectAnswered };
    };

    test.each([1, 3000, MAX_BYTES])('%d bytes that came with the head', async (size) => {
      const bytes = random.bytes(size);
      const { body, expectAnswered } = await openWith(size, frame(bytes), tail);
      expect(Buffer.from((await body.takeWhole(MAX_BYTES)) ?? '').equals(bytes)).toBe(true);
      await expectAnswered();
    });

    test('of a body whose end is missing: nothing, and all of it is delivered', async () => {
      const bytes = random.bytes(3000);
      const sent = frame(bytes.subarray(0, 1000));
      const { client, body, expectAnswered } = await openWith(3000, sent, '');
      expect(await body.takeWhole(MAX_BYTES)).toBeUndefined();
      const collected = collect(body);
      client.send(frame(bytes.subarray(1000)));
      client.send(tail);
      expect((await collected).bytes.equals(bytes)).toBe(true);
      await expectAnswered();
    });

    test('of one byte too many: nothing, and all is delivered', async () => {
      const bytes = random.bytes(MAX_BYTES + 1);
      const { body, expectAnswered } = await openWith(bytes.length, frame(bytes), tail);
      expect(await body.takeWhole(MAX_BYTES)).toBeUndefined();
      const { end, bytes: delivered } = await collect(body);
      expect([end, delivered.equals(bytes)]).toEqual(['complete', true]);
      await expectAnswered();
    });

    test('of a body that was cut: nothing, and what came is delivered', async () => {
      const bytes = random.bytes(1000);
      const { client, body } = await openWith(3000, frame(bytes), '');
      client.end();
      expect(await body.takeWhole(MAX_BYTES)).toBeUndefined();
      const { end, bytes: delivered } = await collect(body);
      expect([end, delivered.equals(bytes)]).toEqual(['cut', true]);
    });
  });
}
