import { afterEach, describe, expect, test, vi } from 'vitest';
import { BUFFER_BYTES, BufferPool } from '../../src/workers/buffer-pool.ts';
import { openFeed } from '../support/feed-harness.ts';
import { SeededRandom } from '../support/seeded-random.ts';

const random = new SeededRandom(20);
const MIB_OF_BYTES = random.bytes(BUFFER_BYTES);
const opened: { close(): void }[] = [];

function open(pool: BufferPool, maxUnderWay: number) {
  const harness = openFeed(pool, maxUnderWay);
  opened.push(harness);
  return harness;
}

function poolOf(buffers: number): BufferPool {
  return new BufferPool(buffers * BUFFER_BYTES);
}

/** How many buffers can be taken until the pool is short; they are given back. */
function roomIn(pool: BufferPool): number {
  const taken: SharedArrayBuffer[] = [];
  while (!pool.isShort) taken.push(pool.take());
  for (const buffer of taken) pool.give(buffer);
  return taken.length;
}

afterEach(() => {
  for (const harness of opened.splice(0)) harness.close();
});

describe('one append', () => {
  test('sends full buffers at once and the rest when it is flushed', async () => {
    const harness = open(poolOf(8), 8);
    harness.feed.write(MIB_OF_BYTES.subarray(0, 100));
    harness.feed.write(MIB_OF_BYTES.subarray(100));
    harness.feed.write(MIB_OF_BYTES.subarray(0, 7));
    harness.feed.flush();
    harness.feed.flush();
    await harness.until(() => harness.received.length === 2);
    expect(harness.lengths).toEqual([BUFFER_BYTES, 7]);
    expect(harness.stored.equals(Buffer.concat([MIB_OF_BYTES, MIB_OF_BYTES.subarray(0, 7)]))).toBe(
      true,
    );
    expect(harness.feed.receivedBytes).toBe(BUFFER_BYTES + 7);
  });

  test('copies: the memory of a chunk may change after the call', async () => {
    const harness = open(poolOf(8), 8);
    const chunk = Buffer.from('hello');
    harness.feed.write(chunk);
    chunk.fill(0);
    harness.feed.flush();
    await harness.until(() => harness.received.length === 1);
    expect(harness.stored.toString()).toBe('hello');
  });

  test('a chunk of many buffers is cut, and takes no more than it needs', async () => {
    const pool = poolOf(8);
    const harness = open(pool, 8);
    harness.feed.write(Buffer.concat([MIB_OF_BYTES, MIB_OF_BYTES, MIB_OF_BYTES]));
    await harness.until(() => harness.received.length === 3);
    expect(harness.lengths).toEqual([BUFFER_BYTES, BUFFER_BYTES, BUFFER_BYTES]);
    expect(roomIn(pool)).toBe(5);
  });

  test('pauses its sender at its limit, and lets it go on when a buffer comes home', async () => {
    const harness = open(poolOf(64), 2);
    harness.feed.write(MIB_OF_BYTES);
    expect(harness.source.isPaused).toBe(false);
    harness.feed.write(MIB_OF_BYTES);
    expect(harness.source.isPaused).toBe(true);
    await harness.until(() => harness.received.length === 2);
    harness.sendHome(1);
    await harness.until(() => !harness.source.isPaused);
    expect(harness.source.pauses).toBe(1);
  });

  test('holds no buffer that it has been filling for long', async () => {
    vi.useFakeTimers({ toFake: ['performance'] });
    try {
      const harness = open(poolOf(4), 4);
      harness.feed.write(Buffer.from('abc'));
      harness.feed.check();
      vi.advanceTimersByTime(2000);
      harness.feed.write(Buffer.from('def'));
      harness.feed.check();
      await harness.until(() => harness.received.length === 1);
      expect(harness.stored.toString()).toBe('abcdef');
    } finally {
      vi.useRealTimers();
    }
  });

  test('holds no buffer after an interval without bytes', async () => {
    const pool = poolOf(4);
    const harness = open(pool, 4);
    harness.feed.write(Buffer.from('abc'));
    harness.feed.check();
    harness.feed.write(Buffer.from('def'));
    harness.feed.check();
    harness.feed.check();
    await harness.until(() => harness.received.length === 1);
    expect(harness.stored.toString()).toBe('abcdef');
    harness.sendHome(1);
    await harness.nextEvent();
    expect(roomIn(pool)).toBe(4);
  });

  test('an empty chunk takes no buffer', () => {
    const pool = poolOf(4);
    open(pool, 4).feed.write(new Uint8Array(0));
    expect(roomIn(pool)).toBe(4);
  });
});

describe('several appends and one pool', () => {
  test('a shortage sends half-filled buffers on their way and pauses everyone; relief resumes', async () => {
    const pool = poolOf(4);
    const idle = open(pool, 4);
    const busy = open(pool, 4);
    idle.feed.write(Buffer.from('half'));
    busy.feed.write(MIB_OF_BYTES);
    busy.feed.write(MIB_OF_BYTES);
    expect([idle, busy].map(({ source }) => source.isPaused)).toEqual([false, false]);
    busy.feed.write(MIB_OF_BYTES);
    expect([idle, busy].map(({ source }) => source.isPaused)).toEqual([true, true]);
    await idle.until(() => idle.received.length === 1);
    expect(idle.stored.toString()).toBe('half');
    idle.sendHome(1);
    await idle.until(() => !idle.source.isPaused);
    expect(busy.source.isPaused).toBe(false);
  });

  test('relief does not resume an append that is at its own limit', async () => {
    const pool = poolOf(4);
    const full = open(pool, 2);
    const other = open(pool, 4);
    full.feed.write(Buffer.concat([MIB_OF_BYTES, MIB_OF_BYTES]));
    other.feed.write(Buffer.concat([MIB_OF_BYTES, MIB_OF_BYTES]));
    expect(pool.isShort).toBe(true);
    await other.until(() => other.received.length === 2);
    other.sendHome(2);
    await other.until(() => !other.source.isPaused);
    expect(full.source.isPaused).toBe(true);
  });

  test('a chunk that was read before the pause is kept', async () => {
    const pool = poolOf(1);
    const harness = open(pool, 4);
    harness.feed.write(Buffer.from('first '));
    expect(harness.source.isPaused).toBe(true);
    harness.feed.write(Buffer.from('second'));
    await harness.until(() => harness.received.length === 2);
    expect(harness.stored.toString()).toBe('first second');
  });
});

describe('the end of an append', () => {
  test('gives back what it holds, and what is lost with its worker', async () => {
    const pool = poolOf(8);
    const harness = open(pool, 8);
    harness.feed.write(Buffer.concat([MIB_OF_BYTES, MIB_OF_BYTES, Buffer.from('half')]));
    expect(roomIn(pool)).toBe(5);
    harness.feed.close();
    expect(roomIn(pool)).toBe(8);
    harness.feed.close();
    expect(roomIn(pool)).toBe(8);
  });

  test('relieves the others', () => {
    const pool = poolOf(2);
    const dying = open(pool, 8);
    const other = open(pool, 8);
    dying.feed.write(Buffer.concat([MIB_OF_BYTES, MIB_OF_BYTES]));
    expect(other.source.isPaused).toBe(true);
    dying.feed.close();
    expect(other.source.isPaused).toBe(false);
  });

  test('what comes after it is dropped, and takes nothing', () => {
    const pool = poolOf(4);
    const harness = open(pool, 4);
    harness.feed.close();
    harness.feed.write(MIB_OF_BYTES);
    expect(harness.feed.receivedBytes).toBe(0);
    expect(roomIn(pool)).toBe(4);
  });

  test('a buffer that comes home after it is not counted twice', async () => {
    const pool = poolOf(4);
    const harness = open(pool, 4);
    harness.feed.write(MIB_OF_BYTES);
    await harness.until(() => harness.received.length === 1);
    harness.feed.close();
    harness.sendHome(1);
    await harness.nextEvent();
    expect(roomIn(pool)).toBe(4);
  });
});

describe('whatever the chunks and the order of things', () => {
  test.each([1, 2, 3, 4, 5, 6])(
    'nothing is lost or reordered, and memory is bounded: run %d',
    async (seed) => {
      const chance = new SeededRandom(seed);
      const limit = chance.integer(2, 6);
      const pool = poolOf(limit);
      const appends = Array.from({ length: 3 }, () => {
        const bytes = chance.bytes(chance.integer(1, 5 * BUFFER_BYTES));
        const chunks = chance.cut(bytes, chance.integer(1, 3) * 300_000);
        return { bytes, chunks, isWritten: false, harness: open(pool, chance.integer(1, 3)) };
      });
      let mostUnderWay = 0;
      while (appends.some(({ harness, bytes }) => harness.stored.length < bytes.length)) {
        for (const append of appends) {
          const { harness, chunks } = append;
          if (!harness.source.isPaused && !append.isWritten) {
            const { value } = chunks.next();
            if (value) harness.feed.write(value);
            else append.isWritten = true;
            if (!value) harness.feed.flush();
          }
          if (chance.integer(0, 2) === 0) harness.sendHome(chance.integer(1, 2));
        }
        if (chance.integer(0, 5) === 0) for (const { harness } of appends) harness.feed.check();
        const underWay = appends.reduce((sum, { harness }) => sum + harness.received.length, 0);
        mostUnderWay = Math.max(mostUnderWay, underWay);
        await new Promise(setImmediate);
      }
      for (const { harness, bytes } of appends) expect(harness.stored.equals(bytes)).toBe(true);
      // A pause comes after the chunk that was just written: up to two buffers for each append.
      expect(mostUnderWay).toBeLessThanOrEqual(limit + 2 * appends.length);
      for (const { harness } of appends) harness.close();
      expect(roomIn(pool)).toBe(limit);
    },
  );
});
