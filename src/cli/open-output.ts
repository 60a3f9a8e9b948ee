import { once } from 'node:events';
import { jsonText, showValue } from './cell.ts';
import type { OutputStream } from './environment.ts';
import { UsageError } from './errors.ts';
import {
  type Column,
  FORMATS,
  type Format,
  type Output,
  type Printing,
  type Row,
  type Rows,
} from './output.ts';

/** @throws UsageError */
export function parseFormat(text: string): Format {
  const format = FORMATS.find((name) => name === text);
  if (format) return format;
  throw new UsageError(`The output format must be one of ${FORMATS.join(', ')}, not ${text}.`);
}

export function openOutput(stream: OutputStream, format: Format, hasColors: boolean): Output {
  /** Waits for a reader that is slower, so that nothing piles up. */
  const write = async (text: string) => {
    if (!stream.write(text)) await once(stream, 'drain');
  };
  const print = { text: printText, json: printJson, tsv: printTsv }[format];
  return {
    format,
    hasColors,
    line: (text) => write(`${text}\n`),
    json: (value) => write(`${jsonText(value)}\n`),
    table: (columns, rows) => print({ columns, rows: inBatches(rows), stream, write, hasColors }),
  };
}

async function* inBatches(rows: Rows): AsyncGenerator<Iterable<Row>, void, undefined> {
  if (Symbol.asyncIterator in rows) yield* rows;
  else yield rows;
}

async function printText(printing: Printing): Promise<void> {
  const { printTable } = await import('./table.ts');
  await printTable(printing);
}

async function printJson({ columns, rows, write }: Printing): Promise<void> {
  let separator = '[';
  for await (const batch of rows) {
    for (const row of batch) {
      await write(separator + jsonOf(columns, row));
      separator = ', ';
    }
  }
  await write(separator === '[' ? '[]\n' : ']\n');
}

/** With a space behind : and , as the original has it, for those who look for texts in it. */
function jsonOf(columns: readonly Column[], row: Row): string {
  const members = columns.map(({ name }) => `"${name}": ${jsonText(row[name] ?? null)}`);
  return `{${members.join(', ')}}`;
}

async function printTsv({ columns, rows, write }: Printing): Promise<void> {
  // Nothing is written before the first rows are there: asking for them may fail.
  let head = `${columns.map(({ name }) => name).join('\t')}\n`;
  for await (const batch of rows) {
    for (const row of batch) {
      const cells = columns.map(({ name }) => showValue(name, row[name]));
      await write(`${head}${cells.join('\t')}\n`);
      head = '';
    }
  }
  if (head !== '') await write(head);
}
