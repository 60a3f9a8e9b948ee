import { expect, test } from 'vitest';
import { digestBytes } from '../../src/oci/digest.ts';
import { SmallBlobs } from '../../src/registry/small-blobs.ts';

const BYTES = Buffer.from('{"architecture":"amd64"}');
const DIGEST = digestBytes('sha256', BYTES);

/** A store that counts its readers, and fills one buffer again and again, as real ones do. */
class Store {
  reads = 0;
  readonly #bytes: Uint8Array;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  async *chunks() {
    this.reads += 1;
    const buffer = new Uint8Array(1);
    for (const byte of this.#bytes) {
      buffer[0] = byte;
      yield buffer;
    }
    buffer[0] = 0;
  }
}

test('a small blob is read from its store once', async () => {
  const blobs = new SmallBlobs();
  const store = new Store(BYTES);
  for (let time = 0; time < 3; time += 1) {
    expect(Buffer.from(await blobs.read(DIGEST, () => store.chunks()))).toEqual(BYTES);
  }
  expect(store.reads).toBe(1);
});

test('bytes with another digest are not kept', async () => {
  const blobs = new SmallBlobs();
  const damaged = new Store(Buffer.from('{"architecture":"amd63"}'));
  expect(Buffer.from(await blobs.read(DIGEST, () => damaged.chunks()))).not.toEqual(BYTES);
  const mended = new Store(BYTES);
  expect(Buffer.from(await blobs.read(DIGEST, () => mended.chunks()))).toEqual(BYTES);
});

test('no more than a bound is kept', async () => {
  const blobs = new SmallBlobs();
  const first = new Store(BYTES);
  await blobs.read(DIGEST, () => first.chunks());
  for (let number = 0; number < 600; number += 1) {
    const bytes = Buffer.alloc(32 * 1024, number);
    bytes.writeUInt32LE(number);
    const digest = digestBytes('sha256', bytes);
    await blobs.read(digest, async function* () {
      yield bytes;
    });
  }
  await blobs.read(DIGEST, () => first.chunks());
  expect(first.reads).toBe(2);
});

test.each([
  [0, true],
  [32 * 1024, true],
  [32 * 1024 + 1, false],
])('a blob of %i bytes is small: %s', (sizeBytes, isSmall) => {
  expect(new SmallBlobs().isSmall(sizeBytes)).toBe(isSmall);
});
