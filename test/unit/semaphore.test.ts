import { expect, test } from 'vitest';
import { Semaphore } from '../../src/workers/semaphore.ts';

/** Jobs that end when they are told to. */
class Jobs {
  readonly started: number[] = [];
  readonly #ends = new Map<number, PromiseWithResolvers<number>>();

  /** A job by its number; it resolves with the number. */
  job(number: number): () => Promise<number> {
    return () => {
      this.started.push(number);
      const end = withResolvers<number>();
      this.#ends.set(number, end);
      return end.promise;
    };
  }

  end(number: number): void {
    this.#ends.get(number)?.resolve(number);
  }

  fail(number: number): void {
    this.#ends.get(number)?.reject(new Error(`job ${number}`));
  }
}

interface PromiseWithResolvers<T> {
  readonly promise: Promise<T>;
  readonly resolve: (value: T) => void;
  readonly reject: (error: Error) => void;
}

function withResolvers<T>(): PromiseWithResolvers<T> {
  let resolve: (value: T) => void = () => {};
  let reject: (error: Error) => void = () => {};
  const promise = new Promise<T>((yes, no) => {
    resolve = yes;
    reject = no;
  });
  return { promise, resolve, reject };
}

test('so many run at a time, the others wait in order', async () => {
  const semaphore = new Semaphore(2);
  const jobs = new Jobs();
  const [first, second, third, fourth] = [1, 2, 3, 4].map((n) => semaphore.run(jobs.job(n)));
  expect(jobs.started).toEqual([1, 2]);
  jobs.end(2);
  expect(await second).toBe(2);
  expect(jobs.started).toEqual([1, 2, 3]);
  jobs.end(1);
  expect(await first).toBe(1);
  expect(jobs.started).toEqual([1, 2, 3, 4]);
  jobs.end(4);
  jobs.end(3);
  expect(await Promise.all([third, fourth])).toEqual([3, 4]);
});

test('a job that fails makes room too, and its caller gets the error', async () => {
  const semaphore = new Semaphore(1);
  const jobs = new Jobs();
  const failing = semaphore.run(jobs.job(1));
  const waiting = semaphore.run(jobs.job(2));
  jobs.fail(1);
  await expect(failing).rejects.toThrow('job 1');
  jobs.end(2);
  expect(await waiting).toBe(2);
});

test('a job that throws at once makes room too', async () => {
  const semaphore = new Semaphore(1);
  await expect(
    semaphore.run(() => {
      throw new Error('at once');
    }),
  ).rejects.toThrow('at once');
  expect(await semaphore.run(() => Promise.resolve('next'))).toBe('next');
});

test('the limit holds for many jobs of different length', async () => {
  const semaphore = new Semaphore(3);
  let running = 0;
  let most = 0;
  const job = async (turns: number) => {
    running += 1;
    most = Math.max(most, running);
    for (let i = 0; i < turns; i += 1) await Promise.resolve();
    running -= 1;
  };
  await Promise.all(Array.from({ length: 100 }, (_, i) => semaphore.run(() => job(i % 7))));
  expect({ running, most }).toEqual({ running: 0, most: 3 });
});
