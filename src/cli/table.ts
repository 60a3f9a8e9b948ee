import pc from 'picocolors';
import { showValue } from './cell.ts';
import { cut, padEnd, padStart, widthOf } from './display-width.ts';
import type { Column, Printing, Row } from './output.ts';

/** Rows that are looked at before the widths of columns are fixed. */
const BATCH_ROWS = 1000;
/** A column isn't made narrower to fit the terminal. */
const MIN_WIDTH = 8;
const JUST_NOW_S = 900;
const RECENT_S = 3600;

type Paint = ReturnType<typeof pc.createColors>;

/** A head, and columns that are parted by a space and fit the terminal; what is cut ends in `…`. */
export async function printTable(printing: Printing): Promise<void> {
  const { columns, stream, write } = printing;
  const paint = pc.createColors(printing.hasColors);
  const isCut = stream.isTTY === true;
  const room = isCut ? (stream.columns ?? 80) : Number.POSITIVE_INFINITY;
  let widths: readonly number[] | undefined;
  for await (const rows of inLargeBatches(printing.rows)) {
    if (!widths) {
      widths = fit(columns, naturalWidths(columns, rows), room);
      await write(head(columns, widths, paint));
    }
    for (const row of rows) await write(line({ columns, widths, paint, isCut }, row));
  }
}

/** At least one batch, be it empty. */
async function* inLargeBatches(
  batches: AsyncIterable<Iterable<Row>>,
): AsyncGenerator<readonly Row[], void, undefined> {
  let rows: Row[] = [];
  let hasYielded = false;
  for await (const batch of batches) {
    for (const row of batch) rows.push(row);
    if (rows.length < BATCH_ROWS) continue;
    yield rows;
    hasYielded = true;
    rows = [];
  }
  if (rows.length > 0 || !hasYielded) yield rows;
}

function naturalWidths(columns: readonly Column[], rows: readonly Row[]): number[] {
  return columns.map((column) => {
    const widest = rows.reduce(
      (width, row) => Math.max(width, widthOf(showValue(column.name, row[column.name]))),
      widthOf(titleOf(column)),
    );
    return Math.min(widest, column.maxWidth ?? widest);
  });
}

/** Narrows the widest column, step by step, until all fit. */
function fit(columns: readonly Column[], natural: readonly number[], room: number): number[] {
  const widths = [...natural];
  let excess = widths.reduce((sum, width) => sum + width, columns.length - 1) - room;
  for (; excess > 0; excess -= 1) {
    const widest = Math.max(...widths);
    if (widest <= MIN_WIDTH) break;
    widths[widths.indexOf(widest)] = widest - 1;
  }
  return widths;
}

function head(columns: readonly Column[], widths: readonly number[], paint: Paint): string {
  const titles = columns.map((column, n) => {
    const width = widths[n] ?? 0;
    const title = cut(titleOf(column), width);
    return isNumeric(column) ? padStart(title, width) : padEnd(title, width);
  });
  return `${paint.bold(titles.join(' ').trimEnd())}\n`;
}

interface Look {
  readonly columns: readonly Column[];
  readonly widths: readonly number[];
  readonly paint: Paint;
  readonly isCut: boolean;
}

function line({ columns, widths, paint, isCut }: Look, row: Row): string {
  const cells = columns.map((column, n) => {
    const value = row[column.name];
    const width = widths[n] ?? 0;
    // A file gets whole values, also where those of later rows are longer.
    const text = cut(
      showValue(column.name, value),
      isCut ? width : (column.maxWidth ?? Number.POSITIVE_INFINITY),
    );
    const isLast = n === columns.length - 1;
    const padded = isNumeric(column) ? padStart(text, width) : isLast ? text : padEnd(text, width);
    return colored(paint, column, value, padded);
  });
  return `${cells.join(' ').trimEnd()}\n`;
}

function isNumeric({ name, isNumber = false }: Column): boolean {
  return isNumber || name.endsWith('_time');
}

function colored(paint: Paint, { name }: Column, value: unknown, text: string): string {
  if (!name.endsWith('_time') || typeof value !== 'number') return text;
  const age = Date.now() / 1000 - value;
  if (age < JUST_NOW_S) return paint.bold(paint.green(text));
  return age < RECENT_S ? paint.green(text) : text;
}

function titleOf({ name, title }: Column): string {
  return (
    title ?? name.replaceAll('_', ' ').replaceAll(/\b\p{Ll}/gu, (letter) => letter.toUpperCase())
  );
}
