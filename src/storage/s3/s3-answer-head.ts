/** S3's own heads have less than 2 KiB. */
export const MAX_ANSWER_HEAD_BYTES = 16 * 1024;

/** The head of an answer of HTTP/1.1. */
export interface AnswerHead {
  readonly status: number;
  /** Names in lower case; the values of one that came several times are joined. */
  readonly headers: ReadonlyMap<string, string>;
  /** With the empty line: the body begins there. */
  readonly sizeBytes: number;
}

const STATUS_LINE = /^HTTP\/1\.1 ([1-9]\d\d)(?: |$)/;
const HEADER_LINE = /^([!#$%&'*+.^_`|~\w-]+):[ \t]*(.*?)[ \t]*$/;

/** Reads a head from the first bytes of an answer. */
export function parseAnswerHead(bytes: Buffer): AnswerHead | 'incomplete' | 'malformed' {
  const end = bytes.indexOf('\r\n\r\n');
  if (end < 0) return bytes.length < MAX_ANSWER_HEAD_BYTES ? 'incomplete' : 'malformed';
  const [statusLine = '', ...lines] = bytes.toString('latin1', 0, end).split('\r\n');
  const status = STATUS_LINE.exec(statusLine)?.[1];
  const headers = readHeaders(lines);
  const sizeBytes = end + 4;
  if (status === undefined || !headers || sizeBytes > MAX_ANSWER_HEAD_BYTES) return 'malformed';
  return { status: Number(status), headers, sizeBytes };
}

function readHeaders(lines: readonly string[]): ReadonlyMap<string, string> | undefined {
  const headers = new Map<string, string>();
  for (const line of lines) {
    const [, name, value = ''] = HEADER_LINE.exec(line) ?? [];
    if (name === undefined) return undefined;
    const key = name.toLowerCase();
    const before = headers.get(key);
    headers.set(key, before === undefined ? value : `${before}, ${value}`);
  }
  return headers;
}

/** Is it the bytes `start` to `end` (exclusive), as they are, with nothing around them? */
export function isPlainRange({ status, headers }: AnswerHead, start: number, end: number): boolean {
  return (
    status === 206 &&
    headers.get('content-length') === String(end - start) &&
    !headers.has('transfer-encoding') &&
    headers.get('content-range')?.startsWith(`bytes ${start}-${end - 1}/`) === true
  );
}

/** May another request follow on the connection? */
export function keepsAlive({ headers }: AnswerHead): boolean {
  return !/\bclose\b/i.test(headers.get('connection') ?? '');
}
