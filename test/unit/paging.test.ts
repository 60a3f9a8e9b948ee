import { describe, expect, test } from 'vitest';
import { cutPage, readPage } from '../../src/http/handlers/paging.ts';
import { OciError } from '../../src/oci/error.ts';

const read = (query: string) => readPage(new URLSearchParams(query));

describe('readPage', () => {
  // biome-ignore format: a table is read by its columns
  test.each([
    ['',                    1000, undefined],
    ['n=10',                  10, undefined],
    ['n=0',                    0, undefined],
    ['n=1000',              1000, undefined],
    ['n=1001',              1000, undefined],
    ['n=999999999',         1000, undefined],
    ['n=99999999999999999', 1000, undefined],
    ['n=007',                  7, undefined],
    ['last=1.0',            1000, '1.0'],
    ['n=5&last=a%2Fb',         5, 'a/b'],
    ['n=5&last=',              5, undefined],
    ['other=1',             1000, undefined],
  ])('%j shows %d entries after %s', (query, shown, last) => {
    expect(read(query)).toEqual({ shown, page: { limit: shown + 1, last } });
  });

  test.each(['n=', 'n=x', 'n=-1', 'n=%2B1', 'n=1.5', 'n=1e3', 'n=0x10', 'n=%201'])(
    '%j is refused with 400',
    (query) => {
      expect(() => read(query)).toThrow(OciError);
      expect(() => read(query)).toThrow(expect.objectContaining({ status: 400 }));
    },
  );
});

describe('cutPage', () => {
  const path = '/v2/acme/hello/tags/list';
  const cut = (entries: readonly string[], query: string) => cutPage(entries, read(query), path);

  test('a list that fits has no Link', () => {
    expect(cut(['a', 'b'], 'n=2')).toEqual({ entries: ['a', 'b'], headers: {} });
    expect(cut([], 'n=2')).toEqual({ entries: [], headers: {} });
  });

  test('one entry more than is shown leads to the next page', () => {
    expect(cut(['a', 'b', 'c'], 'n=2')).toEqual({
      entries: ['a', 'b'],
      headers: { Link: `<${path}?n=2&last=b>; rel="next"` },
    });
  });

  test('n=0 is an empty list without Link', () => {
    expect(cut(['a'], 'n=0')).toEqual({ entries: [], headers: {} });
  });

  test('last is encoded', () => {
    const { headers } = cut(['a/b&c>', 'd'], 'n=1');
    expect(headers['Link']).toBe(`<${path}?n=1&last=a%2Fb%26c%3E>; rel="next"`);
  });

  test('the limit of the server counts, not what was asked for', () => {
    const entries = Array.from({ length: 1001 }, (_, i) => `t${i}`);
    const page = cut(entries, 'n=5000');
    expect(page.entries).toHaveLength(1000);
    expect(page.headers['Link']).toContain('n=1000&last=t999>');
  });
});
