import { describe, expect, test } from 'vitest';
import { SharedLookup } from '../../../src/auth/shared-lookup.ts';

/** Answers with the number of the lookup, each of which lives 100 ms of a clock that the test sets. */
function scene(maxEntries = 10, lifetimeMs = (_answer: number) => 100) {
  const clock = { ms: 0 };
  const asked: string[] = [];
  const lookup = new SharedLookup<number>({ maxEntries, lifetimeMs, now: () => clock.ms });
  const ask = (key: string, look = async () => asked.length) =>
    lookup.get(key, () => {
      asked.push(key);
      return look();
    });
  return { clock, asked, ask };
}

test('an answer is used until its time ends, and not at its end', async () => {
  const { clock, asked, ask } = scene();
  expect(await ask('k')).toBe(1);
  clock.ms = 99;
  expect(await ask('k')).toBe(1);
  clock.ms = 100;
  expect(await ask('k')).toBe(2);
  expect(asked).toEqual(['k', 'k']);
});

test('each answer has its own time', async () => {
  const { clock, ask } = scene(10, (answer) => (answer === 1 ? 10 : 100));
  await ask('short');
  await ask('long');
  clock.ms = 50;
  expect(await ask('long')).toBe(2);
  expect(await ask('short')).toBe(3);
});

test('the time counts from the question, not from the answer', async () => {
  const { clock, ask } = scene();
  const late = async () => {
    clock.ms = 60;
    return 7;
  };
  expect(await ask('k', late)).toBe(7);
  clock.ms = 99;
  expect(await ask('k')).toBe(7);
  clock.ms = 100;
  expect(await ask('k')).toBe(2);
});

test('an answer without a time is for those who wait for it alone', async () => {
  const { asked, ask } = scene(10, () => 0);
  expect(await Promise.all([ask('k'), ask('k')])).toEqual([1, 1]);
  expect(await ask('k')).toBe(2);
  expect(asked).toHaveLength(2);
});

test('a thousand who ask at the same time share one lookup', async () => {
  const { asked, ask } = scene();
  const answers = await Promise.all(Array.from({ length: 1000 }, () => ask('k')));
  expect(new Set(answers)).toEqual(new Set([1]));
  expect(asked).toHaveLength(1);
});

test('who asks after an answer ended shares the next lookup with others', async () => {
  const { clock, asked, ask } = scene();
  await ask('k');
  clock.ms = 100;
  expect(await Promise.all([ask('k'), ask('k')])).toEqual([2, 2]);
  expect(asked).toHaveLength(2);
});

describe('a lookup that fails', () => {
  const fail = () => Promise.reject(new Error('down'));

  test('fails for all who wait for it, and is not remembered', async () => {
    const { asked, ask } = scene();
    const results = await Promise.allSettled([ask('k', fail), ask('k'), ask('k')]);
    expect(results.map(({ status }) => status)).toEqual(['rejected', 'rejected', 'rejected']);
    expect(await ask('k')).toBe(2);
    expect(asked).toHaveLength(2);
  });

  test('also when it throws at once', async () => {
    const { ask } = scene();
    const throwing = () => {
      throw new Error('wrong');
    };
    await expect(ask('k', throwing)).rejects.toThrow('wrong');
    expect(await ask('k')).toBe(2);
  });

  test('brings no answer back that has ended', async () => {
    const { clock, ask } = scene();
    await ask('k');
    clock.ms = 100;
    await expect(ask('k', fail)).rejects.toThrow('down');
    await expect(ask('k', fail)).rejects.toThrow('down');
  });
});

test('no more entries are kept than the limit; those that were not used for longest go', async () => {
  const { asked, ask } = scene(2);
  for (const key of ['a', 'b', 'a', 'c']) await ask(key);
  expect(asked).toEqual(['a', 'b', 'c']);
  await ask('a');
  expect(asked).toEqual(['a', 'b', 'c']);
  await ask('b');
  expect(asked).toEqual(['a', 'b', 'c', 'b']);
});
