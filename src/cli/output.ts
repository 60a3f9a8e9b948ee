import type { OutputStream } from './environment.ts';

export const FORMATS = ['text', 'json', 'tsv'] as const;
export type Format = (typeof FORMATS)[number];

export interface Column {
  /** Of the row's member, of the JSON's, and the head in tsv. Names in `_time` are seconds since 1970. */
  readonly name: string;
  /** The head in text; else made of the name: `created_by` is Created By. */
  readonly title?: string;
  /** Aligned at its right; times are anyway. */
  readonly isNumber?: boolean;
  /** Longest text in a table, in characters. */
  readonly maxWidth?: number;
}

/** Values by the names of columns; what is missing or null is empty in text, and null in JSON. */
export type Row = Readonly<Record<string, unknown>>;
/** All at once, or as they come. */
export type Rows = Iterable<Row> | AsyncIterable<Iterable<Row>>;

/** What a command prints on standard output. */
export interface Output {
  readonly format: Format;
  /** Whether colours are wanted there. */
  readonly hasColors: boolean;
  /** A table in the format that was asked for; a long one as it comes. */
  table(columns: readonly Column[], rows: Rows): Promise<void>;
  /** Text as it is, and a line feed. */
  line(text: string): Promise<void>;
  /** A value as JSON, for what isn't a table. */
  json(value: unknown): Promise<void>;
}

/** What a way of printing is given. */
export interface Printing {
  readonly columns: readonly Column[];
  readonly rows: AsyncIterable<Iterable<Row>>;
  readonly stream: OutputStream;
  readonly hasColors: boolean;
  readonly write: (text: string) => Promise<void>;
}
