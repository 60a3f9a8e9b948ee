import { Writable } from 'node:stream';
import { describe, expect, test } from 'vitest';
import { openOutput } from '../../src/cli/open-output.ts';
import type { Column, Format, Rows } from '../../src/cli/output.ts';

interface Screen {
  readonly columns?: number;
  readonly hasColors?: boolean;
  readonly format?: Format;
}

/** What a table looks like; on a terminal where it has columns. */
async function print(columns: readonly Column[], rows: Rows, screen: Screen = {}) {
  const pieces: string[] = [];
  const stream = Object.assign(
    new Writable({
      highWaterMark: 1,
      write(piece, _, done) {
        pieces.push(String(piece));
        setImmediate(done);
      },
    }),
    screen.columns === undefined ? {} : { isTTY: true, columns: screen.columns },
  );
  const output = openOutput(stream, screen.format ?? 'text', screen.hasColors ?? false);
  await output.table(columns, rows);
  return pieces.join('');
}

const NAMES: readonly Column[] = [{ name: 'name' }, { name: 'made_by', title: 'By' }];

describe('a table', () => {
  test('has columns as wide as their texts, and no spaces at the end', async () => {
    const rows = [
      { name: 'a', made_by: 'jdoe' },
      { name: 'longer', made_by: '' },
    ];
    expect(await print(NAMES, rows)).toBe('Name   By\na      jdoe\nlonger\n');
  });

  test('has its head, also when nothing is in it', async () => {
    expect(await print(NAMES, [])).toBe('Name By\n');
  });

  test('fits the terminal: the widest columns are cut', async () => {
    const rows = [{ name: 'x'.repeat(50), made_by: 'y'.repeat(30) }];
    const [head = '', line = ''] = (await print(NAMES, rows, { columns: 40 })).split('\n');
    expect(head).toMatch(/^Name {16}By$/);
    expect(line).toBe(`${'x'.repeat(18)}… ${'y'.repeat(19)}…`);
  });

  test('is not cut where it goes into a file', async () => {
    const name = 'x'.repeat(500);
    expect(await print(NAMES, [{ name }])).toContain(name);
  });

  test('counts letters that take two columns, and those that take none', async () => {
    const rows = [{ name: '日本' }, { name: 'e\u0301é' }, { name: 'abcd', made_by: 'x' }];
    expect(await print(NAMES, rows)).toBe('Name By\n日本\ne\u0301é\nabcd x\n');
    const cut = await print([{ name: 'name', maxWidth: 4 }], [{ name: '日本語' }]);
    expect(cut).toBe('Name\n日…\n');
  });

  test('shows nothing that a terminal would obey', async () => {
    const rows = [{ name: 'a\u001b[31mb\r\nc\u009bd', made_by: '\t' }];
    for (const format of ['text', 'tsv'] as const) {
      const text = await print(NAMES, rows, { format });
      const controls = [...new Set(text.match(/\p{Cc}/gu))].toSorted();
      expect(controls).toEqual(format === 'tsv' ? ['\t', '\n'] : ['\n']);
    }
  });

  test('comes as its rows do, with the widths of the first thousand', async () => {
    async function* rows() {
      yield Array.from({ length: 1000 }, () => ({ name: 'four' }));
      yield [{ name: 'five5' }];
    }
    const lastOf = async (screen: Screen) => {
      const lines = (await print([{ name: 'name' }], rows(), screen)).trimEnd().split('\n');
      expect(lines).toHaveLength(1002);
      return lines.at(-1);
    };
    expect(await lastOf({ columns: 80 })).toBe('fiv…');
    expect(await lastOf({})).toBe('five5');
  });
});

describe('times', () => {
  const TIME: readonly Column[] = [{ name: 'made_time', title: 'Made' }];
  const ago = (seconds: number) => [{ made_time: Date.now() / 1000 - seconds }];

  test.each([
    [5, '5s ago'],
    [69, '69s ago'],
    [120, '2m ago'],
    [3 * 3600, '3h ago'],
    [48 * 3600, '48h ago'],
    [50 * 3600, '2d ago'],
    [-60, '0s ago'],
  ])('%i s back are %s', async (seconds, text) => {
    expect(await print(TIME, ago(seconds), { format: 'tsv' })).toBe(`made_time\n${text}\n`);
  });

  test('are aligned at their right, and green while they are young', async () => {
    const rows = [...ago(7200), ...ago(1800), ...ago(1)];
    const lines = (await print(TIME, rows)).split('\n');
    expect(lines).toEqual(['   Made', ' 2h ago', '30m ago', ' 1s ago', '']);
    const [, old, recent, young] = (await print(TIME, rows, { hasColors: true })).split('\n');
    expect(old).toBe(' 2h ago');
    expect(recent).toBe('\u001b[32m30m ago\u001b[39m');
    expect(young).toBe('\u001b[1m\u001b[32m 1s ago\u001b[39m\u001b[22m');
  });

  test('are seconds in JSON, and null where there is none', async () => {
    const rows = [{ made_time: 1463671421.5 }, {}];
    expect(await print(TIME, rows, { format: 'json' })).toBe(
      '[{"made_time": 1463671421.5}, {"made_time": null}]\n',
    );
  });
});

test('what a terminal would obey reaches it neither in a table nor in JSON', async () => {
  const name = 'a\u001B[2J\u009B2J\u202Eb\u007F';
  const columns = [{ name: 'name' }];
  const json = await print(columns, [{ name }], { format: 'json' });

  for (const text of [await print(columns, [{ name }]), json]) {
    expect(text).toMatch(/^[\n -~]+$/);
  }
  expect(JSON.parse(json)).toEqual([{ name }]);
});
