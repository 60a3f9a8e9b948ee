import { setTimeout as delay, setImmediate } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { ObjectNotFound, StoreUnavailable } from '../../src/storage/blob-store.ts';
import { newSegmentKey } from '../../src/storage/keys.ts';
import { type OpenedStore, readObject, writeObject } from '../support/objects.ts';
import { SeededRandom } from '../support/seeded-random.ts';

const MIB = 1024 * 1024;
const SIZE = 9 * MIB + 17;
/** Steps may grow while it is read. */
const LARGE_SIZE = 14 * MIB + 17;
/** More than may have large read-ahead at the same time. */
const READERS = 48;

/** The part of describeBlobStore that reads. */
export function describeReading(name: string, open: () => Promise<OpenedStore>): void {
  describe(`reading from a blob store: ${name}`, () => {
    const random = new SeededRandom(6);
    const bytes = random.bytes(SIZE);
    let opened: OpenedStore;
    let key: string;

    beforeEach(async () => {
      opened = await open();
      key = newSegmentKey();
      await writeObject(opened.store, key, bytes);
    });

    afterEach(async () => {
      await opened.dispose();
    });

    const expectRange = async (start: number, end: number, pause?: () => Promise<unknown>) => {
      const read = await readObject(opened.store, key, start, end, pause);
      expect(read.length, `${start} to ${end}`).toBe(end - start);
      expect(read.equals(bytes.subarray(start, end)), `${start} to ${end}`).toBe(true);
    };

    test.each([
      ['the whole', 0, SIZE],
      ['the first byte', 0, 1],
      ['the last byte', SIZE - 1, SIZE],
      ['one in the middle', MIB, MIB + 1],
      ['over a border of steps', 64 * 1024 - 1, 64 * 1024 + 1],
      ['nearly all', 1, SIZE - 1],
      ['nothing', 5, 5],
      ['nothing at the end', SIZE, SIZE],
    ])('a range: %s', async (_, start, end) => {
      await expectRange(start, end);
      expect(await opened.countOpenHandles()).toBe(0);
    });

    test('ranges at random', async () => {
      for (let i = 0; i < 60; i += 1) {
        const start = random.integer(0, SIZE - 1);
        await expectRange(start, random.integer(start, SIZE));
      }
    });

    test('chunks are small enough that a slow reader holds little memory', async () => {
      for await (const chunk of opened.store.read(key, 0, SIZE)) {
        expect(chunk.length).toBeGreaterThan(0);
        expect(chunk.length).toBeLessThanOrEqual(8 * MIB);
      }
    });

    test('a missing key is ObjectNotFound, also where no byte is asked for', async () => {
      const missing = newSegmentKey();
      await expect(readObject(opened.store, missing, 0, 1)).rejects.toThrow(ObjectNotFound);
      await expect(readObject(opened.store, missing, 0, 0)).rejects.toThrow(ObjectNotFound);
      expect(await opened.countOpenHandles()).toBe(0);
    });

    test.each([
      ['one byte too many', 0, SIZE + 1],
      ['many too many', 0, SIZE + 9 * MIB],
      ['all past the end', SIZE, SIZE + 10],
      ['far past the end', SIZE + MIB, SIZE + 2 * MIB],
    ])('an object that is too short is StoreUnavailable: %s', async (_, start, end) => {
      await expect(readObject(opened.store, key, start, end)).rejects.toThrow(StoreUnavailable);
      expect(await opened.countOpenHandles()).toBe(0);
    });

    test.each([1, 2, 5])('ending after %d chunks frees everything', async (count) => {
      let left = count;
      for await (const chunk of opened.store.read(key, 0, SIZE)) {
        expect(chunk.length).toBeGreaterThan(0);
        left -= 1;
        if (left === 0) break;
      }
      expect(left).toBe(0);
      expect(await opened.countOpenHandles()).toBe(0);
    });

    test('a reader that throws frees everything', async () => {
      const failing = async () => {
        for await (const chunk of opened.store.read(key, 0, SIZE)) {
          throw new Error(`no use for ${chunk.length} bytes`);
        }
      };
      await expect(failing()).rejects.toThrow(/no use for/);
      expect(await opened.countOpenHandles()).toBe(0);
    });

    test('a read that is never begun holds nothing', async () => {
      opened.store.read(key, 0, SIZE);
      expect(await opened.countOpenHandles()).toBe(0);
    });

    test('many readers of different speed get the right bytes', async () => {
      const paces: readonly (() => Promise<unknown>)[] = [
        () => Promise.resolve(),
        () => setImmediate(),
        () => delay(random.integer(0, 3)),
        // Slower than what counts as keeping up.
        () => delay(random.integer(15, 30)),
      ];
      const readers = Array.from({ length: READERS }, (_, i) => {
        const start = random.integer(0, MIB);
        return expectRange(start, random.integer(2 * MIB, SIZE), paces[i % paces.length]);
      });
      await Promise.all(readers);
      expect(await opened.countOpenHandles()).toBe(0);
    });

    test('many readers of a large object get the right bytes, also those that stall in it', async () => {
      const large = random.bytes(LARGE_SIZE);
      const largeKey = newSegmentKey();
      await writeObject(opened.store, largeKey, large);
      const readers = Array.from({ length: READERS }, async (_, i) => {
        let chunks = 0;
        const stallAt = random.integer(150, 200);
        const pause = async () => {
          chunks += 1;
          if (i % 2 === 0 && chunks === stallAt) await delay(100);
        };
        const read = await readObject(opened.store, largeKey, 0, LARGE_SIZE, pause);
        return read.equals(large);
      });
      expect(new Set(await Promise.all(readers))).toEqual(new Set([true]));
      expect(await opened.countOpenHandles()).toBe(0);
    });

    test('readers that give up do not disturb those that go on', async () => {
      const givingUp = async (afterChunks: number) => {
        let left = afterChunks;
        for await (const chunk of opened.store.read(key, 0, SIZE)) {
          left -= chunk.length > 0 ? 1 : 0;
          if (left === 0) return;
          await setImmediate();
        }
      };
      for (let round = 0; round < 4; round += 1) {
        await Promise.all([
          ...Array.from({ length: 12 }, (_, i) => givingUp(1 + (i % 4))),
          ...Array.from({ length: 12 }, () => expectRange(0, SIZE, () => setImmediate())),
        ]);
      }
      expect(await opened.countOpenHandles()).toBe(0);
    });

    test('a chunk stays as it is until the next one is asked for', async () => {
      const iterator = opened.store.read(key, 0, SIZE)[Symbol.asyncIterator]();
      let position = 0;
      for (let next = await iterator.next(); !next.done; next = await iterator.next()) {
        // Others read in the meantime, with buffers of their own.
        if (position % 3 === 0) await expectRange(random.integer(0, MIB), SIZE);
        const wanted = bytes.subarray(position, position + next.value.length);
        expect(wanted.equals(next.value), `at byte ${position}`).toBe(true);
        position += next.value.length;
      }
      expect(position).toBe(SIZE);
    });
  });
}
