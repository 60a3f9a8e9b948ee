import { once } from 'node:events';
import { showValue } from './cell.ts';
import type { OutputStream } from './environment.ts';
import { UsageError } from './errors.ts';
import { FORMATS, type Format, type Output, type Printing, type Row, type Rows } from './output.ts';

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
    json: (value) => write(`${JSON.stringify(value)}\n`),
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
      const entries = columns.map(({ name }) => [name, row[name] ?? null]);
      await write(separator + JSON.stringify(Object.fromEntries(entries)));
      separator = ', ';
    }
  }
  await write(separator === '[' ? '[]\n' : ']\n');
}

async function printTsv({ columns, rows, write }: Printing): Promise<void> {
  await write(`${columns.map(({ name }) => name).join('\t')}\n`);
  for await (const batch of rows) {
    for (const row of batch) {
      await write(`${columns.map(({ name }) => showValue(name, row[name])).join('\t')}\n`);
    }
  }
}
