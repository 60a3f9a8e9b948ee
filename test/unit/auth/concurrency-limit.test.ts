import { beforeEach, expect, test } from 'vitest';
import { ConcurrencyLimit, NoRoom } from '../../../src/auth/concurrency-limit.ts';

const started: number[] = [];
const ends = new Map<number, () => void>();
let now = 0;
let limit: ConcurrencyLimit;

beforeEach(() => {
  started.splice(0);
  ends.clear();
  now = 0;
  limit = new ConcurrencyLimit({ maxRunning: 2, maxWaiting: 2, maxWaitMs: 5000 }, () => now);
});

/** Resolves with its number when it is ended. */
function run(number: number): Promise<number> {
  return limit.run(async () => {
    started.push(number);
    await new Promise<void>((resolve) => ends.set(number, resolve));
    return number;
  });
}

async function end(number: number): Promise<void> {
  ends.get(number)?.();
  await new Promise(setImmediate);
}

test('so many run, the others in the order of asking', async () => {
  const all = [1, 2, 3, 4].map(run);
  expect(started).toEqual([1, 2]);
  await end(2);
  expect(started).toEqual([1, 2, 3]);
  await end(1);
  expect(started).toEqual([1, 2, 3, 4]);
  await end(3);
  await end(4);
  expect(await Promise.all(all)).toEqual([1, 2, 3, 4]);
});

test('beyond those that may wait it refuses, and has room again later', async () => {
  const all = [1, 2, 3, 4].map(run);
  await expect(run(5)).rejects.toThrow(NoRoom);
  for (const number of [1, 2, 3, 4]) await end(number);
  await Promise.all(all);
  const later = run(6);
  await end(6);
  expect(await later).toBe(6);
});

test('who has waited too long is refused, and the next one has the turn', async () => {
  const first = [1, 2].map(run);
  const old = run(3);
  const refused = expect(old).rejects.toThrow(NoRoom);
  now = 4000;
  const young = run(4);
  now = 5001;
  await end(1);
  await refused;
  expect(started).toEqual([1, 2, 4]);
  await end(2);
  await end(4);
  expect(await Promise.all([...first, young])).toEqual([1, 2, 4]);
});

test('a job that fails leaves its place', async () => {
  const failing = Array.from({ length: 10 }, () =>
    limit.run(() => Promise.reject(new Error('broken'))).catch((error: unknown) => String(error)),
  );
  await Promise.all(failing);
  const later = run(1);
  await end(1);
  expect(await later).toBe(1);
});
