import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { ObjectNotFound } from '../../src/storage/blob-store.ts';
import { newSegmentKey } from '../../src/storage/keys.ts';
import { type OpenedStore, readObject, writeObject } from '../support/objects.ts';
import { SeededRandom } from '../support/seeded-random.ts';

const MIB = 1024 * 1024;
/** More than two parts of any driver, and no multiple of one. */
const SIZE = 21 * MIB + 13;

/** The part of describeBlobStore that is about objects so large that a driver may send them in parts. */
export function describeParts(name: string, open: () => Promise<OpenedStore>): void {
  describe(`large objects in a blob store: ${name}`, () => {
    const random = new SeededRandom(7);
    const bytes = random.bytes(SIZE);
    let opened: OpenedStore;

    beforeEach(async () => {
      opened = await open();
    });

    afterEach(async () => {
      await opened.dispose();
    });

    const expectWhole = async (key: string, wanted: Buffer) => {
      const read = await readObject(opened.reopen(), key, 0, wanted.length);
      expect(read.equals(wanted)).toBe(true);
    };

    test.each([
      ['small', 70_001],
      ['odd', 3 * MIB - 5],
      ['larger than a part', 11 * MIB + 1],
      ['one', SIZE],
    ])('pieces that do not fit into parts: %s', async (_, pieceBytes) => {
      const key = newSegmentKey();
      const writer = await opened.store.create(key);
      for (let from = 0; from < SIZE; from += pieceBytes) {
        await writer.write(bytes.subarray(from, from + pieceBytes));
      }
      await writer.close();
      await expectWhole(key, bytes);
    });

    test.each([5 * MIB, 8 * MIB, 10 * MIB, 16 * MIB])('exactly %d bytes', async (size) => {
      const key = newSegmentKey();
      await writeObject(opened.store, key, bytes.subarray(0, size));
      await expectWhole(key, bytes.subarray(0, size));
    });

    test('memory is free again when it is spent, which is told once for each write', async () => {
      const key = newSegmentKey();
      const writer = await opened.store.create(key);
      const spent: number[] = [];
      const pieces = [...random.cut(bytes, 5 * MIB)];
      for (const [i, piece] of pieces.entries()) {
        const copy = Buffer.from(piece);
        await writer.write(copy, () => {
          copy.fill(0);
          spent.push(i);
        });
      }
      await writer.close();
      expect(spent.toSorted((a, b) => a - b)).toEqual(pieces.map((_piece, i) => i));
      await expectWhole(key, bytes);
    });

    test('memory is free again while the object is still open', async () => {
      const writer = await opened.store.create(newSegmentKey());
      await new Promise<void>((spent, reject) => {
        writer.write(bytes.subarray(0, MIB), spent).catch(reject);
        writer.write(bytes.subarray(MIB)).catch(reject);
      });
      await writer.abort();
      expect(await opened.listEverything()).toEqual([]);
    });

    test('several at the same time', async () => {
      const objects = Array.from({ length: 5 }, (_, i) => ({
        key: newSegmentKey(),
        bytes: bytes.subarray(i * 1001),
      }));
      await Promise.all(
        objects.map((object) => writeObject(opened.store, object.key, object.bytes)),
      );
      for (const object of objects) await expectWhole(object.key, object.bytes);
      expect(await opened.countOpenHandles()).toBe(0);
    });

    test('abort while bytes are on their way leaves nothing', async () => {
      const key = newSegmentKey();
      const writer = await opened.store.create(key);
      const writes = [writer.write(bytes), writer.write(bytes)];
      await writer.abort();
      await Promise.allSettled(writes);
      await expect(readObject(opened.store, key, 0, 1)).rejects.toThrow(ObjectNotFound);
      expect(await opened.listEverything()).toEqual([]);
      expect(await opened.countOpenHandles()).toBe(0);
    });

    test('abort when a part of the bytes has arrived leaves nothing', async () => {
      const writer = await opened.store.create(newSegmentKey());
      const writes: Promise<void>[] = [];
      await new Promise<void>((spent) => {
        writes.push(writer.write(bytes, spent));
        writes.push(writer.write(bytes, spent));
        writes.push(writer.write(bytes));
      });
      await writer.abort();
      await Promise.allSettled(writes);
      expect(await opened.listEverything()).toEqual([]);
      expect(await opened.countOpenHandles()).toBe(0);
    });
  });
}
