import { describe, expect, test } from 'vitest';
import { BUFFER_BYTES, BufferPool, type BufferUser } from '../../src/workers/buffer-pool.ts';

/** Writes down what it is told. */
class Witness implements BufferUser {
  readonly told: string[] = [];

  onShortage(): void {
    this.told.push('shortage');
  }

  onRelief(): void {
    this.told.push('relief');
  }
}

function openPool(limit: number, users = 1) {
  const pool = new BufferPool(limit * BUFFER_BYTES);
  const witnesses = Array.from({ length: users }, () => new Witness());
  for (const witness of witnesses) pool.join(witness);
  const take = (count: number) => Array.from({ length: count }, () => pool.take());
  const give = (buffers: readonly SharedArrayBuffer[]) => {
    for (const buffer of buffers) pool.give(buffer);
  };
  return { pool, witnesses, take, give };
}

test('a buffer has 1 MiB', () => {
  expect(openPool(1).pool.take().byteLength).toBe(1024 * 1024);
});

test('a buffer that was given back is used again', () => {
  const { pool } = openPool(4);
  const buffer = pool.take();
  pool.give(buffer);
  expect(pool.take()).toBe(buffer);
});

test('where something else is the limit, it keeps no more free buffers than it was told to', () => {
  const pool = new BufferPool(Infinity, 2 * BUFFER_BYTES);
  const buffers = Array.from({ length: 5 }, () => pool.take());
  for (const buffer of buffers) pool.give(buffer);
  const again = Array.from({ length: 5 }, () => pool.take());
  expect(again.filter((buffer) => buffers.includes(buffer))).toHaveLength(2);
  expect(pool.takenBytes).toBe(5 * BUFFER_BYTES);
});

test('an append that begins in a shortage waits for its end, and one at a time goes on', async () => {
  const { pool, take, give } = openPool(2);
  const taken = take(2);
  const begun: number[] = [];
  const begin = async (id: number) => {
    await pool.untilRelieved();
    begun.push(id);
    taken.push(...take(1));
  };
  const waiting = [1, 2, 3].map(begin);
  await Promise.resolve();
  expect(begun).toEqual([]);
  give(taken.splice(0, 2));
  await Promise.all(waiting.slice(0, 2));
  expect(begun).toEqual([1, 2]);
  expect(pool.isShort).toBe(true);
  give(taken.splice(0, 2));
  await Promise.all(waiting);
  expect(begun).toEqual([1, 2, 3]);
});

describe('a shortage', () => {
  test('begins with the last buffer, and everyone is told once', () => {
    const { pool, witnesses, take } = openPool(4, 3);
    take(3);
    expect(pool.isShort).toBe(false);
    take(1);
    expect(pool.isShort).toBe(true);
    take(2);
    expect(witnesses.map(({ told }) => told)).toEqual([['shortage'], ['shortage'], ['shortage']]);
  });

  test('ends when a quarter of the buffers is back, and everyone is told once', () => {
    const { pool, witnesses, take, give } = openPool(8, 2);
    const buffers = take(8);
    give(buffers.slice(0, 1));
    expect(pool.isShort).toBe(true);
    give(buffers.slice(1, 2));
    expect(pool.isShort).toBe(false);
    give(buffers.slice(2));
    expect(witnesses.map(({ told }) => told)).toEqual([
      ['shortage', 'relief'],
      ['shortage', 'relief'],
    ]);
  });

  test('counts what was taken beyond the limit', () => {
    const { pool, take, give } = openPool(4);
    const buffers = take(7);
    give(buffers.slice(0, 3));
    expect(pool.isShort).toBe(true);
    give(buffers.slice(3, 4));
    expect(pool.isShort).toBe(false);
  });

  test('comes again', () => {
    const { witnesses, take, give } = openPool(4);
    for (let i = 0; i < 3; i += 1) give(take(4));
    expect(witnesses[0]?.told).toEqual([
      'shortage',
      'relief',
      'shortage',
      'relief',
      'shortage',
      'relief',
    ]);
  });

  test('does not come where buffers go and come below the limit', () => {
    const { witnesses, take, give } = openPool(4);
    for (let i = 0; i < 100; i += 1) give(take(3));
    expect(witnesses[0]?.told).toEqual([]);
  });

  test('is nothing for those who left', () => {
    const { pool, witnesses, take } = openPool(2, 2);
    if (witnesses[0]) pool.leave(witnesses[0]);
    take(2);
    expect(witnesses.map(({ told }) => told)).toEqual([[], ['shortage']]);
  });

  test.each([0, 1, BUFFER_BYTES - 1, BUFFER_BYTES])(
    'a limit of %d bytes is one buffer',
    (limit) => {
      const pool = new BufferPool(limit);
      const buffer = pool.take();
      expect(pool.isShort).toBe(true);
      pool.give(buffer);
      expect(pool.isShort).toBe(false);
    },
  );
});

test('buffers that went down with their worker count no longer', () => {
  const { pool, witnesses, take } = openPool(4);
  take(4);
  pool.forget(4);
  expect(pool.isShort).toBe(false);
  take(3);
  expect(witnesses[0]?.told).toEqual(['shortage', 'relief']);
  take(1);
  expect(pool.isShort).toBe(true);
});

test('the pool keeps no more than its limit, however many came back', () => {
  const { take, give } = openPool(2);
  const many = new Set(take(10));
  give([...many]);
  const again = take(10);
  expect(again.filter((buffer) => many.has(buffer))).toHaveLength(2);
});
