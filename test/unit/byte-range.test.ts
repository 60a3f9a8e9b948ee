import { describe, expect, test } from 'vitest';
import { parseContentRange, parseRange } from '../../src/oci/byte-range.ts';

const WHOLE = { kind: 'whole' };
const UNSATISFIABLE = { kind: 'unsatisfiable' };
const ranges = (...pairs: [first: number, last: number][]) => ({
  kind: 'ranges',
  ranges: pairs.map(([first, last]) => ({ first, last })),
});

describe('Range (RFC 9110, section 14.1.2), of 100 bytes', () => {
  test.each([
    ['first byte', 'bytes=0-0', ranges([0, 0])],
    ['first half', 'bytes=0-49', ranges([0, 49])],
    ['all of it', 'bytes=0-99', ranges([0, 99])],
    ['from a byte on', 'bytes=10-', ranges([10, 99])],
    ['from the last byte on', 'bytes=99-', ranges([99, 99])],
    ['a suffix', 'bytes=-10', ranges([90, 99])],
    ['a suffix longer than the whole', 'bytes=-1000', ranges([0, 99])],
    ['an end past the end', 'bytes=90-1000', ranges([90, 99])],
    ['an end far past the end', 'bytes=90-999999999999999', ranges([90, 99])],
    ['leading zeros', 'bytes=000-009', ranges([0, 9])],
    ['several', 'bytes=0-1,10-11', ranges([0, 1], [10, 11])],
    ['several with space', 'bytes=0-1, 10-11 ,-5', ranges([0, 1], [10, 11], [95, 99])],
    ['several, of which one lies outside', 'bytes=0-1,100-', ranges([0, 1])],
    ['several in another order', 'bytes=50-59,0-9', ranges([50, 59], [0, 9])],
  ])('%s: %s', (_, header, expected) => {
    expect(parseRange(header, 100)).toEqual(expected);
  });

  test.each([
    ['a first byte past the end', 'bytes=100-'],
    ['both past the end', 'bytes=100-200'],
    ['far past the end', 'bytes=999999999999999-'],
    ['a suffix of nothing', 'bytes=-0'],
  ])('%s is unsatisfiable: %s', (_, header) => {
    expect(parseRange(header, 100)).toEqual(UNSATISFIABLE);
  });

  test.each([
    ['no header', undefined],
    ['an empty one', ''],
    ['another unit', 'lines=0-1'],
    ['no unit', '0-1'],
    ['reversed', 'bytes=5-4'],
    ['reversed beside a good one', 'bytes=0-1,5-4'],
    ['no numbers', 'bytes=-'],
    ['nothing', 'bytes='],
    ['words', 'bytes=a-b'],
    ['a sign', 'bytes=+1-2'],
    ['a negative first', 'bytes=-1-2'],
    ['hexadecimal', 'bytes=0x1-0x2'],
    ['a fraction', 'bytes=0.5-1'],
    ['an exponent', 'bytes=1e1-2e1'],
    ['space inside', 'bytes=0 - 1'],
    ['other digits', 'bytes=٠-١'],
    ['several, all outside', 'bytes=100-,200-300,-0'],
    ['more ranges than anyone needs', `bytes=${Array(1025).fill('0-1').join(',')}`],
  ])('%s is ignored: %s', (_, header) => {
    expect(parseRange(header, 100)).toEqual(WHOLE);
  });

  test('1024 ranges are still read', () => {
    const answer = parseRange(`bytes=${Array(1024).fill('0-1').join(',')}`, 100);
    expect(answer).toEqual(ranges(...Array.from({ length: 1024 }, (): [number, number] => [0, 1])));
  });

  // Beyond what a number holds exactly: never an invented position.
  test.each(['bytes=0-99999999999999999999', 'bytes=-99999999999999999999'])('%s', (header) => {
    expect([WHOLE, ranges([0, 99])]).toContainEqual(parseRange(header, 100));
  });
});

describe('Range of an empty blob', () => {
  test.each(['bytes=0-', 'bytes=0-0', 'bytes=5-9', 'bytes=-0'])('%s is unsatisfiable', (header) => {
    expect(parseRange(header, 0)).toEqual(UNSATISFIABLE);
  });

  test('a suffix is satisfiable whatever the length (section 14.1.2), and can only be the whole', () => {
    expect(parseRange('bytes=-5', 0)).toEqual(WHOLE);
  });
});

test('a range of more than 4 GiB is exact', () => {
  const size = 40 * 1024 ** 3;
  expect(parseRange(`bytes=${size - 2}-`, size)).toEqual(ranges([size - 2, size - 1]));
  expect(parseRange('bytes=-5000000000', size)).toEqual(ranges([size - 5_000_000_000, size - 1]));
});

describe('Content-Range of a chunk', () => {
  test.each([
    ['0-9', 0, 9],
    ['0-0', 0, 0],
    ['10-19', 10, 19],
    ['bytes 0-9', 0, 9],
    ['bytes 0-9/10', 0, 9],
    ['bytes 0-9/*', 0, 9],
    ['bytes=0-9', 0, 9],
    ['0-9/10', 0, 9],
    [' 0-9 ', 0, 9],
    ['5000000000-5000000009', 5_000_000_000, 5_000_000_009],
  ])('%s', (header, first, last) => {
    expect(parseContentRange(header)).toEqual({ first, last });
  });

  test.each([
    '',
    '-',
    '0',
    '0-',
    '-9',
    '9-0',
    'a-b',
    'bytes */10',
    'bytes 0-9/',
    'bytes 0-9/x',
    'bytes  0-9',
    'lines 0-9',
    '0-9,10-19',
    '0 - 9',
    '-1-9',
    '0-9999999999999999999',
  ])('%j is malformed', (header) => {
    expect(parseContentRange(header)).toBeUndefined();
  });

  test.each(['bytes 0-9/9', 'bytes 0-9/5', '10-19/0'])(
    '%s is malformed, since its total is not above its last byte (section 14.4)',
    (header) => {
      expect(parseContentRange(header)).toBeUndefined();
    },
  );
});
