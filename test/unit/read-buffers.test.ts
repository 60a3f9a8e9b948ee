import { afterEach, expect, test } from 'vitest';
import { giveReadBuffer, type StepSize, takeReadBuffer } from '../../src/storage/read-buffers.ts';

const KIB = 1024;
const MIB = 1024 * KIB;
/** Far more than may have what they ask for. */
const READERS = 2000;

const taken: Buffer[] = [];

function take(size: StepSize): Buffer {
  const buffer = takeReadBuffer(size);
  taken.push(buffer);
  return buffer;
}

function sumOf(buffers: readonly Buffer[]): number {
  return buffers.reduce((sum, buffer) => sum + buffer.length, 0);
}

afterEach(() => {
  for (const buffer of taken.splice(0)) giveReadBuffer(buffer);
});

test('thousands of slow readers hold little, and take nothing from one that keeps up', () => {
  const slow = Array.from({ length: READERS }, () => take('small'));

  expect(slow[0]?.length).toBe(64 * KIB);
  expect(sumOf(slow)).toBeLessThan(40 * MIB);
  expect(take('large').length).toBe(2 * MIB);
});

test('thousands that keep up share what there is', () => {
  const all = Array.from({ length: READERS }, () => take('large'));

  expect(new Set(all.map(({ length }) => length))).toEqual(
    new Set([2 * MIB, MIB, 64 * KIB, 4 * KIB]),
  );
  expect(sumOf(all)).toBeLessThan(80 * MIB);
});

test('what was given back can be taken again, by one at a time', () => {
  for (let round = 0; round < READERS; round += 1) {
    const buffer = takeReadBuffer('large');
    expect(buffer.length).toBe(2 * MIB);
    giveReadBuffer(buffer);
  }
  const all = Array.from({ length: READERS }, () => take('large'));
  expect(new Set(all).size).toBe(READERS);
});
