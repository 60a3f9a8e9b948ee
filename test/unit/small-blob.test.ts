import { expect, test } from 'vitest';
import { digestBytes } from '../../src/oci/digest.ts';
import { isSmall, readSmall } from '../../src/registry/small-blob.ts';

const BYTES = Buffer.from('{"architecture":"amd64"}');
const DIGEST = digestBytes('sha256', BYTES);

/** Fills one buffer again and again, as real stores do. */
async function* chunksOf(bytes: Uint8Array) {
  const buffer = new Uint8Array(1);
  for (const byte of bytes) {
    buffer[0] = byte;
    yield buffer;
  }
  buffer[0] = 0;
}

test('a small blob is read as a whole', async () => {
  const { bytes, isIntact } = await readSmall(DIGEST, chunksOf(BYTES));
  expect(Buffer.from(bytes)).toEqual(BYTES);
  expect(isIntact).toBe(true);
});

test('bytes with another digest are not intact', async () => {
  const damaged = Buffer.from('{"architecture":"amd63"}');
  const { bytes, isIntact } = await readSmall(DIGEST, chunksOf(damaged));
  expect(Buffer.from(bytes)).toEqual(damaged);
  expect(isIntact).toBe(false);
});

test.each([
  [0, true],
  [32 * 1024, true],
  [32 * 1024 + 1, false],
])('a blob of %i bytes is small: %s', (sizeBytes, expected) => {
  expect(isSmall(sizeBytes)).toBe(expected);
});
