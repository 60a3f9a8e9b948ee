import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, describe, expect, test } from 'vitest';
import { giveReadBuffer, PIECE_BYTES, takePieceBuffer } from '../../src/storage/read-buffers.ts';
import { ConnectionRate } from '../../src/storage/s3/connection-rate.ts';
import { readAhead } from '../../src/storage/s3/read-ahead.ts';
import { SeededRandom } from '../support/seeded-random.ts';

const MIB = 1024 * 1024;
const SIZE = 10 * PIECE_BYTES + 12_345;
/** All that readers may have. */
const BUFFERS = 8;

const random = new SeededRandom(11);
const bytes = random.bytes(SIZE);
const taken: Buffer[] = [];

afterEach(() => {
  for (const buffer of taken.splice(0)) giveReadBuffer(buffer);
});

/** Takes what is left, until the test ends. */
function takeAll(): number {
  for (let buffer = takePieceBuffer(); buffer; buffer = takePieceBuffer()) taken.push(buffer);
  return taken.length;
}

/** Reads from `bytes`, in chunks that come after so many ms each. */
class Source {
  readonly begun: (readonly [start: number, end: number])[] = [];
  open = 0;
  maxOpen = 0;
  readonly #pauseMs: () => number;
  readonly #failAt: number;

  constructor(pauseMs = () => 1, failAt = Number.POSITIVE_INFINITY) {
    this.#pauseMs = pauseMs;
    this.#failAt = failAt;
  }

  async *read(start: number, end: number, signal?: AbortSignal): AsyncGenerator<Uint8Array> {
    this.begun.push([start, end]);
    this.open += 1;
    this.maxOpen = Math.max(this.maxOpen, this.open);
    try {
      for (let at = start; at < end; ) {
        await delay(this.#pauseMs(), undefined, signal && { signal });
        if (at >= this.#failAt) throw new Error('S3 is gone');
        const next = Math.min(end, at + random.integer(1, MIB));
        yield bytes.subarray(at, next);
        at = next;
      }
    } finally {
      this.open -= 1;
    }
  }

  ahead(start = 0, end = SIZE, maxOpen = Number.POSITIVE_INFINITY) {
    const read = (from: number, to: number, signal?: AbortSignal) => this.read(from, to, signal);
    return readAhead(read, { start, end }, () => this.open < maxOpen);
  }
}

async function readAll(chunks: AsyncIterable<Uint8Array>, pauseMs = 0): Promise<Buffer> {
  const all: Buffer[] = [];
  for await (const chunk of chunks) {
    all.push(Buffer.from(chunk));
    if (pauseMs > 0) await delay(pauseMs);
  }
  return Buffer.concat(all);
}

test.each([
  ['all', 0, SIZE],
  ['a piece', PIECE_BYTES, 2 * PIECE_BYTES],
  ['a byte more', 1, PIECE_BYTES + 2],
  ['a byte', 5, 6],
  ['nothing', 7, 7],
])('reads %s in order, over several connections, and keeps no buffer', async (_, start, end) => {
  const source = new Source(() => random.integer(0, 4));
  const read = await readAll(source.ahead(start, end));
  expect(read.equals(bytes.subarray(start, end))).toBe(true);
  expect(source.maxOpen > 1).toBe(end - start > PIECE_BYTES);
  expect(source.open).toBe(0);
  expect(takeAll()).toBe(BUFFERS);
});

test('a reader that keeps up goes on over several connections, though they are equally fast', async () => {
  const source = new Source(() => 2);
  expect((await readAll(source.ahead())).equals(bytes)).toBe(true);
  expect(source.maxOpen).toBeGreaterThan(2);
  const lengths = source.begun.map(([start, end]) => end - start);
  expect(Math.max(...lengths)).toBe(PIECE_BYTES);
});

test('several readers share the buffers, and each gets its bytes', async () => {
  const sources = Array.from({ length: 6 }, () => new Source(() => random.integer(0, 3)));
  const all = await Promise.all(sources.map((source) => readAll(source.ahead())));
  expect(all.every((read) => read.equals(bytes))).toBe(true);
  expect(takeAll()).toBe(BUFFERS);
});

test('where others have all buffers it reads over one connection, without a break', async () => {
  takeAll();
  const source = new Source();
  expect((await readAll(source.ahead())).equals(bytes)).toBe(true);
  expect(source.begun).toEqual([[0, SIZE]]);
});

test('has no more connections than are wanted', async () => {
  const source = new Source();
  expect((await readAll(source.ahead(0, SIZE, 3))).equals(bytes)).toBe(true);
  expect(source.maxOpen).toBeGreaterThan(1);
  expect(source.maxOpen).toBeLessThanOrEqual(4);
  const single = new Source();
  expect((await readAll(single.ahead(0, SIZE, 0))).equals(bytes)).toBe(true);
  expect(single.begun).toEqual([[0, SIZE]]);
});

test('a slow reader has two connections, and one in the end', async () => {
  const source = new Source(() => 0);
  expect((await readAll(source.ahead(), 15)).equals(bytes)).toBe(true);
  expect(source.maxOpen).toBe(2);
  expect(source.begun.length).toBeLessThan(Math.ceil(SIZE / PIECE_BYTES));
  expect(source.begun.at(-1)?.[1]).toBe(SIZE);
  expect(takeAll()).toBe(BUFFERS);
});

test.each([0, 3 * PIECE_BYTES + 7])(
  'what fails at byte %d is told behind what came',
  async (at) => {
    const source = new Source(() => 1, at);
    let readBytes = 0;
    const reading = async () => {
      for await (const chunk of source.ahead()) readBytes += chunk.length;
    };
    await expect(reading()).rejects.toThrow('S3 is gone');
    expect(readBytes).toBe(Math.floor(at / PIECE_BYTES) * PIECE_BYTES);
    expect(source.open).toBe(0);
    expect(takeAll()).toBe(BUFFERS);
  },
);

test.each([1, 10, 30])('a reader that ends after %d chunks ends all connections', async (count) => {
  const source = new Source();
  let chunks = 0;
  for await (const chunk of source.ahead()) {
    chunks += chunk.length > 0 ? 1 : 0;
    if (chunks === count) break;
  }
  expect(source.open).toBe(0);
  expect(takeAll()).toBe(BUFFERS);
});

describe('the rate of connections', () => {
  /** As of a reader that waits for a second. */
  function addSecond(rate: ConnectionRate, bytesOfSecond: number): void {
    for (let block = 0; block < 20; block += 1) rate.add(bytesOfSecond / 20, 50);
  }

  test.each([
    ['90 MB/s', 90e6, true],
    ['500 MB/s', 500e6, false],
  ])('of %s', (_, bytesOfSecond, isSlow) => {
    const rate = new ConnectionRate();
    expect(rate.isSlow).toBe(false);
    rate.add(1, 50);
    expect(rate.isSlow).toBe(false);
    addSecond(rate, bytesOfSecond);
    expect([rate.isSlow, rate.wantsMore]).toEqual([isSlow, isSlow]);
  });

  test('no more than five are wanted that wait for S3', () => {
    const rate = new ConnectionRate();
    addSecond(rate, 90e6);
    const meters = Array.from({ length: 5 }, () => rate.measure());
    expect(rate.wantsMore).toBe(false);
    // Its reader is slow.
    meters[0]?.came(1);
    expect(rate.wantsMore).toBe(true);
    meters[0]?.asked();
    expect(rate.wantsMore).toBe(false);
    meters[0]?.end();
    meters[0]?.end();
    expect(rate.wantsMore).toBe(true);
  });

  test('is not learned of several, which share a machine', () => {
    const rate = new ConnectionRate();
    const meters = [rate.measure(), rate.measure()];
    addSecond(rate, 10e6);
    expect(rate.isSlow).toBe(false);
    meters[0]?.end();
    addSecond(rate, 10e6);
    expect(rate.isSlow).toBe(true);
  });

  test('is forgotten, and a stall sooner', () => {
    const rate = new ConnectionRate();
    for (let second = 0; second < 10; second += 1) addSecond(rate, 50e6);
    expect(rate.isSlow).toBe(true);
    for (let second = 0; second < 10; second += 1) addSecond(rate, 500e6);
    expect(rate.isSlow).toBe(false);
    rate.add(1, 30_000);
    addSecond(rate, 500e6);
    expect(rate.isSlow).toBe(false);
  });

  test.each([
    ['S3 is waited for', 5, 0, true],
    ['the reader is waited for', 0, 5, false],
  ])('counts when %s', async (_, s3Ms, readerMs, isSlow) => {
    const rate = new ConnectionRate();
    const meter = rate.measure();
    meter.begin();
    for (let chunk = 0; chunk < 64; chunk += 1) {
      await delay(s3Ms);
      meter.came(MIB / 4);
      await delay(readerMs);
      meter.asked();
    }
    expect(rate.isSlow).toBe(isSlow);
  });
});
