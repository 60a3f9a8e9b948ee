import { expect, test } from 'vitest';
import { type JoinPart, planJoin, type SourceRange } from '../../src/storage/s3/s3-join-plan.ts';
import { SeededRandom } from '../support/seeded-random.ts';

const MIB = 1024 * 1024;
const MIN_PART = 5 * MIB;
const SEND = 8 * MIB;

function sources(...sizes: readonly number[]) {
  return sizes.map((sizeBytes, number) => ({ key: `k${number}`, sizeBytes }));
}

function rangesOf(part: JoinPart): readonly SourceRange[] {
  return part.kind === 'copy' ? [part.range] : part.ranges;
}

function sizeOf(part: JoinPart): number {
  return rangesOf(part).reduce((sum, { start, end }) => sum + end - start, 0);
}

/** Each part as its kind and its size in MiB. */
function shapeOf(parts: readonly JoinPart[]): string {
  return parts.map((part) => `${part.kind} ${sizeOf(part) / MIB}`).join(', ');
}

/** What S3 demands of any plan, and that it has every byte once, in order. */
function expectValid(parts: readonly JoinPart[], wanted: ReturnType<typeof sources>) {
  expect(parts.length).toBeLessThanOrEqual(10_000);
  for (const part of parts.slice(0, -1)) expect(sizeOf(part)).toBeGreaterThanOrEqual(MIN_PART);
  const joined: SourceRange[] = [];
  for (const range of parts.flatMap(rangesOf)) {
    const last = joined.at(-1);
    if (last?.key === range.key && last.end === range.start) {
      joined[joined.length - 1] = { ...last, end: range.end };
    } else joined.push(range);
  }
  const whole = wanted.filter(({ sizeBytes }) => sizeBytes > 0);
  expect(joined).toEqual(whole.map(({ key, sizeBytes }) => ({ key, start: 0, end: sizeBytes })));
}

// biome-ignore format: a table is read by its columns
test.each([
  ['large ones are copied',                       [10, 5, 20],       'copy 10, copy 5, copy 20'],
  ['small ones are sent together',                [3, 3, 3],         'send 8, send 1'],
  ['a small last one is a part of its own',       [10, 1],           'copy 10, send 1'],
  ['a small one borrows from the next',           [1, 20],           'send 5, copy 16'],
  ['what is left may be too small to be copied',  [1, 8, 20],        'send 8, send 5, copy 16'],
  ['a borrowed rest at the end is sent',          [1, 8],            'send 8, send 1'],
  ['enough small ones borrow nothing',            [3, 3, 20],        'send 6, copy 20'],
  ['one source',                                  [7],               'copy 7'],
  ['one small source',                            [1],               'send 1'],
  ['a source that is larger than a part',         [600, 1],          'copy 200, copy 200, copy 200, send 1'],
  ['empty ones count for nothing',                [0, 6, 0, 1, 0],   'copy 6, send 1'],
  ['nothing',                                     [],                ''],
])('%s', (_, sizes, shape) => {
  const wanted = sources(...sizes.map((size) => size * MIB));
  const parts = planJoin(wanted, SEND);
  expect(shapeOf(parts)).toBe(shape);
  expectValid(parts, wanted);
});

test('any mixture of sizes gives parts that S3 takes', () => {
  const random = new SeededRandom(11);
  for (let round = 0; round < 500; round += 1) {
    const wanted = sources(
      ...Array.from({ length: random.integer(1, 30) }, () =>
        random.integer(0, [MIB, MIN_PART + 1, 12 * MIB, 700 * MIB][round % 4] ?? 0),
      ),
    );
    expectValid(planJoin(wanted, SEND), wanted);
    const sent = planJoin(wanted, SEND, false);
    expectValid(sent, wanted);
    expect(sent.every(({ kind }) => kind === 'send')).toBe(true);
  }
});

test('the largest object that S3 has fits into its 10,000 parts', () => {
  const tib = MIB * MIB;
  const large = sources(...Array.from({ length: 160 }, () => (5 * tib) / 160));
  expectValid(planJoin(large, SEND), large);
  const small = sources(...Array.from({ length: 60_000 }, () => 4 * MIB));
  expectValid(planJoin(small, SEND), small);
});
