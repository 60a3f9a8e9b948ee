import { expect, test } from 'vitest';
import { SharedQuery } from '../../src/registry/shared-query.ts';
import { SeededRandom } from '../support/seeded-random.ts';
import { present } from '../support/vocabulary.ts';

interface Running {
  resolve(value: string): void;
  reject(error: Error): void;
}

/** A database whose queries end when they are told to. */
class Database {
  readonly running: Running[] = [];
  begun = 0;

  readonly query = (): Promise<string> => {
    this.begun += 1;
    return new Promise((resolve, reject) => this.running.push({ resolve, reject }));
  };

  /** The oldest query that has not ended yet. */
  next(): Running {
    return present(this.running.shift(), 'a running query');
  }
}

test('one caller, one query', async () => {
  const shared = new SharedQuery<string>();
  const database = new Database();
  const answer = shared.ask('k', database.query);
  database.next().resolve('a');
  expect(await answer).toBe('a');
  expect(database.begun).toBe(1);
});

test('who asks while a query runs gets the next one, and all of them share it', async () => {
  const shared = new SharedQuery<string>();
  const database = new Database();
  const early = shared.ask('k', database.query);
  const late = Array.from({ length: 100 }, () => shared.ask('k', database.query));
  expect(database.begun).toBe(1);
  database.next().resolve('old');
  expect(await early).toBe('old');
  database.next().resolve('new');
  expect(new Set(await Promise.all(late))).toEqual(new Set(['new']));
  expect(database.begun).toBe(2);
});

test('a query that fails fails for those who share it; those who wait get their own', async () => {
  const shared = new SharedQuery<string>();
  const database = new Database();
  const early = shared.ask('k', database.query);
  const late = shared.ask('k', database.query);
  database.next().reject(new Error('down'));
  await expect(early).rejects.toThrow('down');
  database.next().resolve('up');
  expect(await late).toBe('up');
});

test('after a failure the key works as before', async () => {
  const shared = new SharedQuery<string>();
  const database = new Database();
  const failed = shared.ask('k', database.query);
  database.next().reject(new Error('down'));
  await expect(failed).rejects.toThrow('down');
  const answer = shared.ask('k', database.query);
  database.next().resolve('up');
  expect(await answer).toBe('up');
});

test('keys do not wait for each other', async () => {
  const shared = new SharedQuery<string>();
  const database = new Database();
  const answers = ['a', 'b'].map((key) => shared.ask(key, database.query));
  expect(database.begun).toBe(2);
  database.next().resolve('of a');
  database.next().resolve('of b');
  expect(await Promise.all(answers)).toEqual(['of a', 'of b']);
});

test('whatever the order of things, no answer is older than its question, and one query runs at a time', async () => {
  const random = new SeededRandom(11);
  const shared = new SharedQuery<number>();
  let version = 0;
  let running = 0;
  let most = 0;
  let begun = 0;
  const query = async () => {
    begun += 1;
    running += 1;
    most = Math.max(most, running);
    const seen = version;
    const turns = random.integer(0, 5);
    for (let i = 0; i < turns; i += 1) await Promise.resolve();
    running -= 1;
    return seen;
  };
  const answers: Promise<{ asked: number; seen: number }>[] = [];
  for (let i = 0; i < 2000; i += 1) {
    if (random.integer(0, 2) === 0) version += 1;
    const asked = version;
    answers.push(shared.ask('k', query).then((seen) => ({ asked, seen })));
    if (random.integer(0, 3) === 0) await Promise.resolve();
  }
  const stale = (await Promise.all(answers)).filter(({ asked, seen }) => seen < asked);
  expect({ stale, most, running }).toEqual({ stale: [], most: 1, running: 0 });
  expect(begun).toBeLessThan(answers.length);
});
