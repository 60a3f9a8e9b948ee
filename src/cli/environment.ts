import type { Readable } from 'node:stream';

/** The process's, or what a test makes of it. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** A stream of the process. A file or a pipe has neither `isTTY` nor `columns`. */
export interface OutputStream extends NodeJS.WritableStream {
  readonly isTTY?: boolean;
  readonly columns?: number;
}

export interface Streams {
  readonly stdin: Readable & { readonly isTTY?: boolean };
  readonly stdout: OutputStream;
  readonly stderr: OutputStream;
}
