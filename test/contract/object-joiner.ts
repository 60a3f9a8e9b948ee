import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import {
  type BlobStore,
  type ObjectJoiner,
  ObjectNotFound,
  StoreUnavailable,
} from '../../src/storage/blob-store.ts';
import { newSegmentKey } from '../../src/storage/keys.ts';
import { readObject, writeObject } from '../support/objects.ts';
import { SeededRandom } from '../support/seeded-random.ts';

const KIB = 1024;
const MIB = 1024 * KIB;

/** A new, empty store, and all that is in it: objects, and what was begun. */
export interface OpenedJoiner {
  readonly store: BlobStore;
  listEverything(): Promise<string[]>;
  dispose(): Promise<void>;
}

/** What every joiner must do. A driver's own test calls it with a function that opens an empty store. */
export function describeObjectJoiner(name: string, open: () => Promise<OpenedJoiner>): void {
  describe(`object joiner: ${name}`, () => {
    const random = new SeededRandom(17);
    let opened: OpenedJoiner;
    let store: BlobStore;
    let joiner: ObjectJoiner;

    beforeEach(async () => {
      opened = await open();
      store = opened.store;
      if (!store.joiner) throw new Error('the store has no joiner');
      joiner = store.joiner;
    });

    afterEach(async () => {
      await opened.dispose();
    });

    const writeSources = async (sizes: readonly number[]) => {
      const sources = sizes.map((size) => ({ key: newSegmentKey(), bytes: random.bytes(size) }));
      for (let from = 0; from < sources.length; from += 20) {
        const some = sources.slice(from, from + 20);
        await Promise.all(some.map(({ key, bytes }) => writeObject(store, key, bytes)));
      }
      return sources.map(({ key, bytes }) => ({ key, sizeBytes: bytes.length, bytes }));
    };

    // biome-ignore format: a table is read by its columns
    test.each([
      ['one',                           [6 * MIB]],
      ['one small one',                 [1]],
      ['two large ones',                [6 * MIB, 9 * MIB]],
      ['just large enough to copy',     [5 * MIB, 5 * MIB, 5 * MIB]],
      ['one byte too small',            [5 * MIB - 1, 5 * MIB - 1, 5 * MIB - 1]],
      ['one byte larger',               [5 * MIB + 1, 5 * MIB + 1, 5 * MIB + 1]],
      ['a small one first',             [1, 5 * MIB, 12 * MIB]],
      ['a small one last',              [12 * MIB, 5 * MIB, 1]],
      ['small ones between large ones', [10 * MIB, 3, 70 * KIB, 11 * MIB, 1, 6 * MIB]],
      ['a large one behind small ones', [3 * MIB, MIB, 30 * MIB]],
      ['more small ones than a part',   [4 * MIB, 4 * MIB, 4 * MIB, 4 * MIB, 4 * MIB]],
      ['many small ones',               Array.from({ length: 300 }, (_, n) => 1 + n * 101)],
      ['a range of several parts',      [2 * MIB, 60 * MIB, 2 * MIB]],
    ])('%s: the bytes of all, in order, and the sources stay', async (_, sizes) => {
      const sources = await writeSources(sizes);
      const whole = Buffer.concat(sources.map(({ bytes }) => bytes));
      const key = newSegmentKey();
      await joiner.join(key, sources);
      expect((await readObject(store, key, 0, whole.length)).equals(whole)).toBe(true);
      const middle = await readObject(store, key, whole.length >> 1, whole.length);
      expect(middle.equals(whole.subarray(whole.length >> 1))).toBe(true);
      for (const source of sources) {
        const bytes = await readObject(store, source.key, 0, source.sizeBytes);
        expect(bytes.equals(source.bytes)).toBe(true);
      }
      expect(await opened.listEverything()).toHaveLength(sources.length + 1);
    });

    // biome-ignore format: a table is read by its columns
    test.each([
      ['large one', [6 * MIB, 6 * MIB, 6 * MIB, 6 * MIB, 6 * MIB, 6 * MIB]],
      ['small one', [6 * MIB, MIB, 2 * MIB, MIB, 6 * MIB, 6 * MIB]],
    ])('a %s that is missing is named, and nothing is left', async (_, sizes) => {
      const sources = await writeSources(sizes);
      const missing = sources[2]?.key ?? '';
      await store.delete([missing]);
      const before = await opened.listEverything();
      const joining = joiner.join(newSegmentKey(), sources);
      await expect(joining).rejects.toThrow(ObjectNotFound);
      await expect(joining).rejects.toThrow(missing);
      expect(await opened.listEverything()).toEqual(before);
    });

    test.each([6 * MIB, MIB])(
      'a source of %d bytes that is shorter than it should be fails, and nothing is left',
      async (size) => {
        const sources = await writeSources([6 * MIB, size, 6 * MIB]);
        const before = await opened.listEverything();
        const longer = sources.map((source, number) =>
          number === 1 ? { ...source, sizeBytes: size + 1 } : source,
        );
        await expect(joiner.join(newSegmentKey(), longer)).rejects.toThrow(StoreUnavailable);
        expect(await opened.listEverything()).toEqual(before);
      },
    );

    test('what is given up in the middle leaves nothing', async () => {
      const sources = await writeSources(Array.from({ length: 12 }, () => 6 * MIB));
      const before = await opened.listEverything();
      const controller = new AbortController();
      const joining = joiner.join(newSegmentKey(), sources, controller.signal);
      // As soon as it has begun.
      while ((await opened.listEverything()).length === before.length);
      controller.abort(new Error('given up'));
      await expect(joining).rejects.toThrow('given up');
      expect(await opened.listEverything()).toEqual(before);
    });
  });
}
