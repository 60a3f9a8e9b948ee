import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { FRAMINGS, type RawClient, requestHead } from '../support/raw-http.ts';
import { bodyOf, type Listen, Served, text, watch } from '../support/transport-harness.ts';

const PACE = { minBytesPerSecond: 100_000, idleTimeoutMs: 2000 };
const INTERVAL_MS = 250;
/** Longer than uWebSockets.js waits by itself. */
const LONG_ANSWER_MS = 16_000;
const SLOW_BYTES = 5_000;
const STEADY_BYTES = 75_000;

/** Sends so many bytes at intervals, until all is sent or the server has enough. */
async function sendAtIntervals(
  client: RawClient,
  total: number,
  bytes: number,
  frame: (piece: Uint8Array) => Uint8Array,
): Promise<void> {
  for (let sent = 0; sent < total && !client.isClosed; sent += bytes) {
    client.send(frame(Buffer.alloc(Math.min(bytes, total - sent))));
    await Promise.race([delay(INTERVAL_MS), client.closed()]);
  }
}

/** Reads so many bytes at intervals, until `isOver` or there are no more. */
async function readAtIntervals(
  client: RawClient,
  bytes: number,
  isOver: () => boolean,
): Promise<void> {
  while (!isOver()) {
    if (client.receivedBytes < bytes) client.resumeReading();
    await Promise.race([client.read(bytes), client.closed()]).catch(() => undefined);
    client.pauseReading();
    await Promise.race([delay(INTERVAL_MS), client.closed()]);
  }
}

async function* zeros(total: number): AsyncGenerator<Uint8Array> {
  const chunk = Buffer.alloc(512 * 1024);
  for (let left = total; left > 0; left -= chunk.length) yield chunk.subarray(0, left);
}

/** The part of describeTransport about clients that are slow, but do move bytes. */
export function describePace(name: string, listen: Listen): void {
  describe(`slow clients: ${name}`, () => {
    let served: Served;

    beforeEach(async () => {
      served = await Served.start(listen, { pace: PACE });
    });

    afterEach(async () => {
      await served.stop();
    });

    test('who waits for an answer is not slow, also when all of a body came at once', async () => {
      const client = await served.connect();
      client.send(`${requestHead('PUT', '/', { 'Content-Length': 5 })}hello`);
      const exchange = await served.next();
      // It comes before anybody asks for it.
      await delay(INTERVAL_MS);
      const end = await bodyOf(exchange).deliverTo(() => {});
      await Promise.race([delay(LONG_ANSWER_MS), client.closed()]);
      exchange.send(text('stored', 201));
      expect([end, (await client.readAnswer()).status]).toEqual(['complete', 201]);
    });

    describe.each(FRAMINGS)('senders, $framing', ({ headers, frame, tail }) => {
      const TOTAL = 2_000_000;
      const upload = async (bytes: number) => {
        const client = await served.connect();
        client.send(requestHead('PUT', '/', headers(TOTAL)));
        const exchange = await served.next();
        const ended = bodyOf(exchange).deliverTo(() => {});
        await sendAtIntervals(client, TOTAL, bytes, frame);
        client.send(tail);
        return { client, exchange, end: await ended };
      };

      test('below the minimum rate are cut, those above it are not', async () => {
        const [slow, steady] = await Promise.all([upload(SLOW_BYTES), upload(STEADY_BYTES)]);
        expect([slow.end, steady.end]).toEqual(['cut', 'complete']);
        steady.exchange.send(text('stored', 201));
        expect((await steady.client.readAnswer()).status).toBe(201);
      });
    });

    // More than the kernel's buffers hold.
    const TOTAL = 48_000_000;
    const LENGTHS = [
      { coding: 'of a known length', length: TOTAL },
      { coding: 'in chunked coding', length: undefined },
    ];

    describe.each(LENGTHS)('readers of an answer $coding', ({ length }) => {
      const download = async (bytes: number) => {
        const client = await served.connect();
        client.send(requestHead('GET', '/'));
        const exchange = await served.next();
        const sent = watch(exchange.stream({ status: 200, headers: {} }, length, zeros(TOTAL)));
        await readAtIntervals(client, bytes, () => sent.isSettled);
        return sent.promise;
      };

      test('below the minimum rate are cut, those above it are not', async () => {
        const [slow, steady] = await Promise.all([
          download(SLOW_BYTES),
          download(10 * STEADY_BYTES),
        ]);
        expect(slow).toBeLessThan(TOTAL);
        expect(steady).toBe(TOTAL);
      });
    });
  });
}
