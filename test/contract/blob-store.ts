import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type BlobStore, ObjectNotFound } from '../../src/storage/blob-store.ts';
import { newSegmentKey } from '../../src/storage/keys.ts';
import { type OpenedStore, readObject, writeObject } from '../support/objects.ts';
import { SeededRandom } from '../support/seeded-random.ts';
import { describeParts } from './blob-store-parts.ts';
import { describeReading } from './blob-store-reading.ts';

const KIB = 1024;
const MIB = 1024 * KIB;
/** Around the steps in which drivers read, write and make durable. */
const SIZES = [
  1,
  4096,
  64 * KIB - 1,
  64 * KIB,
  64 * KIB + 1,
  512 * KIB - 1,
  512 * KIB,
  512 * KIB + 1,
  MIB - 1,
  MIB,
  MIB + 1,
  5 * MIB + 3,
  40 * MIB + 1,
];

/** What every blob store must do. A driver's own test calls it with a function that opens an empty store. */
export function describeBlobStore(name: string, open: () => Promise<OpenedStore>): void {
  describe(`blob store: ${name}`, () => {
    const random = new SeededRandom(5);
    let opened: OpenedStore;
    let store: BlobStore;

    beforeEach(async () => {
      opened = await open();
      store = opened.store;
    });

    afterEach(async () => {
      await opened.dispose();
    });

    const listKeys = async () => {
      const keys: string[] = [];
      for await (const { key } of store.list()) keys.push(key);
      return keys.toSorted();
    };

    describe('writing', () => {
      test.each(SIZES)('%d bytes come back as they were', async (size) => {
        const key = newSegmentKey();
        const bytes = random.bytes(size);
        await writeObject(store, key, bytes);
        expect((await readObject(store, key, 0, size)).equals(bytes)).toBe(true);
        expect((await readObject(opened.reopen(), key, 0, size)).equals(bytes)).toBe(true);
        expect(await opened.countOpenHandles()).toBe(0);
      });

      test('writes that run at the same time keep the order of their calls', async () => {
        const key = newSegmentKey();
        const bytes = random.bytes(3 * MIB);
        const writer = await store.create(key);
        await Promise.all([...random.cut(bytes, 70_000)].map((piece) => writer.write(piece)));
        await writer.close();
        expect((await readObject(store, key, 0, bytes.length)).equals(bytes)).toBe(true);
      });

      test('close waits for writes that nobody waited for', async () => {
        const key = newSegmentKey();
        const bytes = random.bytes(4 * MIB);
        const writer = await store.create(key);
        const writes = [...random.cut(bytes, MIB)].map((piece) => writer.write(piece));
        await writer.close();
        await Promise.all(writes);
        expect((await readObject(store, key, 0, bytes.length)).equals(bytes)).toBe(true);
      });

      test('memory is free again when it is spent', async () => {
        const key = newSegmentKey();
        const writer = await store.create(key);
        for (const letter of ['a', 'b']) {
          const buffer = Buffer.alloc(100_000, letter);
          await writer.write(buffer, () => void buffer.fill('c'));
        }
        await writer.close();
        const stored = await readObject(store, key, 0, 200_000);
        expect(stored.equals(Buffer.from('a'.repeat(100_000) + 'b'.repeat(100_000)))).toBe(true);
      });

      test('a write of nothing changes nothing', async () => {
        const key = newSegmentKey();
        const writer = await store.create(key);
        let isSpent = false;
        await writer.write(new Uint8Array(0), () => {
          isSpent = true;
        });
        await writer.write(Buffer.from('x'));
        await writer.close();
        expect(isSpent).toBe(true);
        expect((await readObject(store, key, 0, 1)).toString()).toBe('x');
      });

      test('many objects at the same time', async () => {
        const objects = Array.from({ length: 50 }, () => ({
          key: newSegmentKey(),
          bytes: random.bytes(random.integer(1, 200_000)),
        }));
        await Promise.all(objects.map(({ key, bytes }) => writeObject(store, key, bytes)));
        for (const { key, bytes } of objects) {
          expect((await readObject(store, key, 0, bytes.length)).equals(bytes)).toBe(true);
        }
        expect(await listKeys()).toEqual(objects.map(({ key }) => key).toSorted());
      });
    });

    describe('abort', () => {
      test.each([0, 1, 2 * MIB, 33 * MIB])('leaves nothing of %d bytes', async (size) => {
        const key = newSegmentKey();
        const writer = await store.create(key);
        if (size > 0) await writer.write(random.bytes(size));
        await writer.abort();
        await expect(readObject(store, key, 0, 1)).rejects.toThrow(ObjectNotFound);
        expect(await listKeys()).toEqual([]);
        expect(await opened.countOpenHandles()).toBe(0);
      });

      test('waits for the writes under way', async () => {
        const key = newSegmentKey();
        const writer = await store.create(key);
        const writes = Array.from({ length: 8 }, () => writer.write(random.bytes(MIB)));
        await writer.abort();
        await Promise.allSettled(writes);
        expect(await listKeys()).toEqual([]);
        expect(await opened.countOpenHandles()).toBe(0);
      });

      test('after close is harmless, and so is a second one', async () => {
        const key = newSegmentKey();
        const writer = await store.create(key);
        await writer.write(Buffer.from('bytes'));
        await writer.close();
        await writer.abort();
        await writer.abort();
        expect((await readObject(store, key, 0, 5)).toString()).toBe('bytes');
      });

      test('twice leaves nothing', async () => {
        const writer = await store.create(newSegmentKey());
        await writer.write(Buffer.from('bytes'));
        await writer.abort();
        await writer.abort();
        expect(await listKeys()).toEqual([]);
      });
    });

    describe('list and delete', () => {
      test('an empty store lists nothing', async () => {
        expect(await listKeys()).toEqual([]);
      });

      test('lists every object with the time of its writing, in ms', async () => {
        const keys = [newSegmentKey(), newSegmentKey(), newSegmentKey()];
        await store.claim('a registry');
        for (const key of keys) await writeObject(store, key, Buffer.from(key));
        expect(await listKeys()).toEqual(keys.toSorted());
        for await (const { modifiedMs } of store.list()) {
          // The unit is what matters, not how well clocks agree.
          expect(Math.abs(Date.now() - modifiedMs)).toBeLessThan(3_600_000);
        }
      });

      test('deletes what is there; what is not counts as deleted', async () => {
        const [kept, gone, never] = [newSegmentKey(), newSegmentKey(), newSegmentKey()];
        await writeObject(store, kept, Buffer.from('kept'));
        await writeObject(store, gone, Buffer.from('gone'));
        await store.delete([never, gone, never]);
        await store.delete([gone]);
        await store.delete([]);
        expect(await listKeys()).toEqual([kept]);
        await expect(readObject(store, gone, 0, 4)).rejects.toThrow(ObjectNotFound);
        expect((await readObject(store, kept, 0, 4)).toString()).toBe('kept');
      });

      test('more objects than fit into one request of any store', async () => {
        const keys = Array.from({ length: 1100 }, newSegmentKey);
        for (let from = 0; from < keys.length; from += 50) {
          const batch = keys.slice(from, from + 50);
          await Promise.all(batch.map((key) => writeObject(store, key, Buffer.from('x'))));
        }
        expect(await listKeys()).toEqual(keys.toSorted());
        await store.delete(keys);
        expect(await listKeys()).toEqual([]);
      });
    });

    describe('claim', () => {
      test('the first takes an empty store, others see who has it', async () => {
        expect(await store.claim('one')).toBe('one');
        expect(await store.claim('one')).toBe('one');
        expect(await opened.reopen().claim('two')).toBe('one');
        expect(await store.claim('one')).toBe('one');
      });

      test('of many at once one wins, and all agree', async () => {
        const ids = Array.from({ length: 8 }, (_, i) => `registry-${i}`);
        const carried = await Promise.all(ids.map((id) => opened.reopen().claim(id)));
        expect(new Set(carried).size).toBe(1);
        expect(ids).toContain(carried[0]);
        expect(await store.claim('late')).toBe(carried[0]);
        expect(await listKeys()).toEqual([]);
      });

      test('a store keeps its claim when it has objects', async () => {
        await store.claim('one');
        await writeObject(store, newSegmentKey(), Buffer.from('x'));
        expect(await opened.reopen().claim('one')).toBe('one');
        expect(await opened.reopen().claim('two')).toBe('one');
      });

      test('a store that has objects and no claim is not taken: it carries no id', async () => {
        await writeObject(store, newSegmentKey(), Buffer.from('x'));
        expect(await store.claim('one')).toBe('');
        expect(await opened.reopen().claim('two')).toBe('');
      });
    });
  });
  describeParts(name, open);
  describeReading(name, open);
}
