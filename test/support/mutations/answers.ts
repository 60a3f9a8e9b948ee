import { ERROR_CODES } from '../../../src/oci/error.ts';
import { JsonValue } from '../json.ts';
import type { RawClient } from '../raw-http.ts';
import { digestOf, type Sample } from '../sample-content.ts';
import type { Scene } from './scene.ts';
import type { WireBytes } from './wire-request.ts';

/** One answer, as it came over the wire. */
export interface WireAnswer {
  readonly status: number;
  /** Names in lower case; every value of a repeated header. */
  readonly headers: ReadonlyMap<string, readonly string[]>;
  readonly body: Buffer;
  /** It has no length: the end of the connection is its end. */
  readonly isToEnd: boolean;
}

const STATUS_LINE = /^HTTP\/1\.1 ([1-5]\d\d) [ -~]*$/;
// RFC 9110, sections 5.1 and 5.5: a token, and what is visible or above ASCII, with single spaces or tabs between.
const HEADER_LINE = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([\t -~\x80-\xff]*)$/;

/**
 * What a parser may say of its own accord, without the registry being asked: the framing or the version is wrong, or
 * the head too long. Its answers may have no JSON, and no id of a request; the connection ends with them.
 */
const PARSER_STATUSES = new Set([400, 408, 413, 414, 417, 431, 501, 505]);

/** The next answer of a connection; those that only say "go on" (1xx) are read over. @throws Error that says what isn't HTTP, or that the connection ended before */
export async function readAnswer(client: RawClient, method: string): Promise<WireAnswer> {
  const [statusLine = '', ...lines] = (await client.readHead()).split('\r\n');
  const status = Number(STATUS_LINE.exec(statusLine)?.[1]);
  if (Number.isNaN(status)) throw new Error(`no status line: ${JSON.stringify(statusLine)}`);
  const headers = readHeaders(lines);
  if (status < 200) return readAnswer(client, method);
  const lengths = headers.get('content-length') ?? [];
  if (method.toUpperCase() === 'HEAD' || status === 204 || status === 304) {
    return { status, headers, body: Buffer.alloc(0), isToEnd: false };
  }
  const [length] = lengths;
  // What is answered before its body came, to a client that closes, has its end after that.
  if (length === undefined && headers.get('transfer-encoding')?.[0] === 'chunked') {
    return { status, headers, body: await client.readChunked(), isToEnd: false };
  }
  if (length === undefined) {
    return { status, headers, body: await client.readToEnd(), isToEnd: true };
  }
  if (lengths.length > 1 || !/^\d+$/.test(length))
    throw new Error(`Content-Length is ${lengths.join(', ')}`);
  return { status, headers, body: await client.read(Number(length)), isToEnd: false };
}

function readHeaders(lines: readonly string[]): Map<string, string[]> {
  const headers = new Map<string, string[]>();
  for (const line of lines) {
    const [, name = '', value = ''] = HEADER_LINE.exec(line) ?? [];
    if (name === '') throw new Error(`no header: ${JSON.stringify(line)}`);
    headers.set(name.toLowerCase(), [...(headers.get(name.toLowerCase()) ?? []), value]);
  }
  return headers;
}

/** Those of the REST API may be read by browsers of any origin. */
function isOfRest({ headers }: WireAnswer): boolean {
  return headers.has('access-control-allow-origin');
}

/** The registry was asked, and not only a parser. */
export function isOfRegistry(answer: WireAnswer): boolean {
  return answer.headers.has('docker-distribution-api-version') || isOfRest(answer);
}

/** @returns what is wrong with an answer; undefined: nothing. */
export function faultOf(
  answer: WireAnswer,
  { method, isHttp }: WireBytes,
  { blobs }: Scene,
): string | undefined {
  const { status, headers } = answer;
  if (!isOfRegistry(answer)) {
    if (isHttp) return 'it has neither Docker-Distribution-Api-Version nor what the REST API sends';
    return PARSER_STATUSES.has(status) ? undefined : 'neither the registry nor a parser says that';
  }
  if (answer.isToEnd) return 'it has no Content-Length';
  const repeated = [...headers].find(([name, values]) => isRepeated(name, values));
  if (repeated) return `it has ${repeated[0]} twice`;
  if (status >= 500) return 'it blames the server';
  const isHead = method.toUpperCase() === 'HEAD';
  return status >= 400 ? faultOfError(answer, isHead) : faultOfContent(answer, isHead, blobs);
}

/** Each tag of a push has a line of its own. */
function isRepeated(name: string, values: readonly string[]): boolean {
  return new Set(values).size < values.length || (name !== 'oci-tag' && values.length > 1);
}

function header({ headers }: WireAnswer, name: string): string | undefined {
  return headers.get(name)?.[0];
}

function faultOfError(answer: WireAnswer, isHead: boolean): string | undefined {
  if (header(answer, 'content-type') !== 'application/json') return 'an error without JSON';
  const isRefusal = PARSER_STATUSES.has(answer.status) && header(answer, 'connection') === 'close';
  if (!isRefusal && !/^[!-~]{1,128}$/.test(header(answer, 'x-request-id') ?? ''))
    return 'no X-Request-Id';
  if (isHead) return undefined;
  const text = answer.body.toString();
  if (/(\\n|\n) +at |node:internal|\.[jt]s:\d+/.test(text)) return 'it shows a stack trace';
  try {
    if (isOfRest(answer)) {
      return JsonValue.parse(text).at('message').text ? undefined : 'it has no sentence';
    }
    const [error, ...others] = JsonValue.parse(text).at('errors').items;
    const code = error?.at('code').text ?? '';
    if (!Object.hasOwn(ERROR_CODES, code)) return `the code ${code} is unknown`;
    return others.length === 0 && error?.at('message').text ? undefined : 'it has not one sentence';
  } catch (error) {
    return `it isn't an error of the registry: ${String(error)}`;
  }
}

function faultOfContent(
  answer: WireAnswer,
  isHead: boolean,
  blobs: readonly Sample[],
): string | undefined {
  const { status, body } = answer;
  if (isHead || (status !== 200 && status !== 206)) return undefined;
  const digest = header(answer, 'docker-content-digest');
  if (status === 206) {
    const blob = blobs.find((candidate) => candidate.digest === digest)?.bytes;
    return blob && isRangeOf(blob, answer)
      ? undefined
      : 'it has other bytes than Content-Range says';
  }
  if (digest !== undefined) {
    const actual = digestOf(body, digest.startsWith('sha512') ? 'sha512' : 'sha256');
    return digest === actual ? undefined : `the digest of the body is ${actual}`;
  }
  const isJson = header(answer, 'content-type')?.endsWith('json') ?? false;
  return isJson && parses(body) === undefined ? "it isn't JSON" : undefined;
}

/** The body is the range, or parts with ranges (RFC 9110, section 14.6). */
function isRangeOf(blob: Buffer, answer: WireAnswer): boolean {
  const type = header(answer, 'content-type') ?? '';
  const boundary = /^multipart\/byteranges; boundary=([\w-]+)$/.exec(type)?.[1];
  if (!boundary) return isPartOf(blob, header(answer, 'content-range'), answer.body);
  const pieces = answer.body.toString('latin1').split(`\r\n--${boundary}`);
  if (pieces.shift() !== '' || pieces.pop() !== '--\r\n') return false;
  return pieces.every((piece) => {
    const [head = '', ...rest] = piece.split('\r\n\r\n');
    const range = /^content-range: (.*)$/im.exec(head)?.[1];
    return isPartOf(blob, range, Buffer.from(rest.join('\r\n\r\n'), 'latin1'));
  });
}

function isPartOf(blob: Buffer, contentRange: string | undefined, bytes: Buffer): boolean {
  const [, first, last, size] = /^bytes (\d+)-(\d+)\/(\d+)$/.exec(contentRange ?? '') ?? [];
  const range = blob.subarray(Number(first), Number(last) + 1);
  return Number(size) === blob.length && bytes.equals(range);
}

function parses(body: Buffer): JsonValue | undefined {
  try {
    return JsonValue.parse(body.toString());
  } catch {
    return undefined;
  }
}
