import { expect, test, vi } from 'vitest';
import type { HeldLock, Locks } from '../../src/meta/metadata-store.ts';
import { OciError } from '../../src/oci/error.ts';
import { AppendLocks } from '../../src/registry/append-locks.ts';

/** The locks of a database that two instances share. */
class FakeLocks implements Locks {
  readonly held = new Set<string>();

  tryAcquire(name: string): Promise<HeldLock | undefined> {
    if (this.held.has(name)) return Promise.resolve(undefined);
    this.held.add(name);
    let isReleased = false;
    const release = () => {
      if (!isReleased) this.held.delete(name);
      isReleased = true;
      return Promise.resolve();
    };
    return Promise.resolve({ release, isHeld: true });
  }

  heldBut(names: readonly string[]): Promise<Set<string>> {
    return Promise.resolve(new Set([...this.held].filter((other) => !names.includes(other))));
  }

  isHeld(name: string): Promise<boolean> {
    return Promise.resolve(this.held.has(name));
  }
}

/** `isSame`: both appends on one instance; else on two, of which each knows only the database. */
const INSTANCES = [
  ['on one instance', true],
  ['on two instances', false],
] as const;

function openPair(isSame: boolean) {
  const locks = new FakeLocks();
  const one = new AppendLocks(locks);
  return { locks, one, other: isSame ? one : new AppendLocks(locks) };
}

test.each(INSTANCES)(
  'a second append beside a living one is refused with 409, %s',
  async (_, isSame) => {
    const { one, other } = openPair(isSame);
    const lock = await one.acquire('u');
    const refused = other.acquire('u');
    await expect(refused).rejects.toThrow(OciError);
    await expect(refused).rejects.toMatchObject({ code: 'BLOB_UPLOAD_INVALID', status: 409 });
    await lock.release();
    await (await other.acquire('u')).release();
  },
);

test.each(INSTANCES)('an append whose client is gone is waited for, %s', async (_, isSame) => {
  const { locks, one, other } = openPair(isSame);
  const first = await one.acquire('u');
  first.clientGone();
  let isAcquired = false;
  const second = other.acquire('u').then((lock) => {
    isAcquired = true;
    return lock;
  });
  const status = other.waitWhileClientGone('u');
  await vi.waitFor(() => expect(locks.held).toEqual(new Set(['append:u', 'gone:u'])));
  expect(isAcquired).toBe(false);
  await first.release();
  await status;
  await (await second).release();
  expect(locks.held).toEqual(new Set());
});

test('uploads do not hinder each other', async () => {
  const { one, locks } = openPair(true);
  const [a, b] = await Promise.all([one.acquire('a'), one.acquire('b')]);
  await Promise.all([a.release(), b.release()]);
  expect(locks.held).toEqual(new Set());
});

test('of many appends at once one gets the lock', async () => {
  const { one, other, locks } = openPair(false);
  const attempts = Array.from({ length: 10 }, (_, i) => (i % 2 ? one : other).acquire('u'));
  const results = await Promise.allSettled(attempts);
  const winners = results.filter((result) => result.status === 'fulfilled');
  expect(winners).toHaveLength(1);
  await winners[0]?.value.release();
  expect(locks.held).toEqual(new Set());
});

test('a database that fails leaves no lock behind', async () => {
  const locks = new FakeLocks();
  const one = new AppendLocks(locks);
  const failing = vi.spyOn(locks, 'tryAcquire').mockRejectedValueOnce(new Error('down'));
  await expect(one.acquire('u')).rejects.toThrow('down');
  failing.mockRestore();
  await (await one.acquire('u')).release();
});

test('releasing twice is harmless: the lock of the next append stays', async () => {
  const { one, locks } = openPair(true);
  const first = await one.acquire('u');
  await first.release();
  const second = await one.acquire('u');
  await first.release();
  await expect(one.acquire('u')).rejects.toMatchObject({ status: 409 });
  await second.release();
  expect(locks.held).toEqual(new Set());
});

test('a client that goes away after its append was answered holds up nobody', async () => {
  const { one, locks } = openPair(true);
  const lock = await one.acquire('u');
  await lock.release();
  // The rest of a refused body is dropped; its sender hangs up in the middle of it.
  lock.clientGone();
  expect(locks.held).toEqual(new Set());
});

test('a client that goes away while its append waits for the lock: nothing is begun', async () => {
  const { one, locks } = openPair(true);
  const client = new AbortController();
  let letAnswer = () => {};
  const promise = new Promise<void>((resolve) => {
    letAnswer = resolve;
  });
  const tryAcquire = locks.tryAcquire.bind(locks);
  vi.spyOn(locks, 'tryAcquire').mockImplementationOnce((name) =>
    promise.then(() => tryAcquire(name)),
  );
  const acquired = one.acquire('u', client.signal);
  client.abort();
  // A new append of the same client waits instead of being refused.
  const next = one.acquire('u');
  letAnswer();
  await expect(acquired).rejects.toThrow(OciError);
  await (await next).release();
  expect(locks.held).toEqual(new Set());
});

test('while an append whose client is gone is stored for very long, the status is 503', async () => {
  vi.useFakeTimers();
  try {
    const { one, other } = openPair(false);
    const lock = await one.acquire('u');
    lock.clientGone();
    const status = expect(other.waitWhileClientGone('u')).rejects.toMatchObject({ status: 503 });
    await vi.advanceTimersByTimeAsync(60_000);
    await status;
    await lock.release();
  } finally {
    vi.useRealTimers();
  }
});
