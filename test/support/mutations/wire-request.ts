import type { SeededRandom } from '../seeded-random.ts';

/** A request before it goes over the wire. Every text has one byte a character (latin1), and is sent as it is. */
export interface WireRequest {
  readonly method: string;
  /** What is between the slashes, percent-encoded where it must be. */
  readonly segments: readonly string[];
  readonly query: readonly Pair[];
  /** Without those of the framing. */
  readonly headers: readonly Pair[];
  readonly body: Buffer;
  readonly framing: 'none' | 'Content-Length' | 'chunked';
}

export type Pair = readonly [name: string, value: string];

/** Bytes for one connection, and what may be expected of them. */
export interface WireBytes {
  /** Each is written on its own. */
  readonly pieces: readonly Buffer[];
  readonly method: string;
  /** True: HTTP allows it, so that the registry has to answer. False: the parser may refuse it, or wait for more. */
  readonly isHttp: boolean;
}

const LAST_CHUNK = '0\r\n\r\n';
const MAX_CHUNKS = 40;

export function targetOf({ segments, query }: WireRequest): string {
  const path = `/${segments.join('/')}`;
  if (query.length === 0) return path;
  return `${path}?${query.map(([name, value]) => `${name}=${value}`).join('&')}`;
}

export function headOf(request: WireRequest, framing: readonly Pair[]): string {
  const lines = [...request.headers, ...framing].map(([name, value]) => `${name}: ${value}\r\n`);
  return `${request.method} ${targetOf(request)} HTTP/1.1\r\n${lines.join('')}\r\n`;
}

export function framingOf({ framing, body }: WireRequest): Pair[] {
  if (framing === 'none') return [];
  return framing === 'chunked'
    ? [['Transfer-Encoding', 'chunked']]
    : [['Content-Length', String(body.length)]];
}

/** The body as it goes over the wire; chunks have any size. */
export function framedBody({ framing, body }: WireRequest, random: SeededRandom): Buffer {
  if (framing !== 'chunked') return framing === 'none' ? Buffer.alloc(0) : body;
  const maxBytes = Math.max(random.integer(1, 5000), Math.ceil((2 * body.length) / MAX_CHUNKS));
  const parts = [...random.cut(body, maxBytes)].flatMap((piece) => [
    latin1(`${chunkSize(piece.length, random)}\r\n`),
    piece,
    latin1('\r\n'),
  ]);
  return Buffer.concat([...parts, latin1(LAST_CHUNK)]);
}

/** Capital letters and leading zeros are allowed (RFC 9112, section 7.1). */
function chunkSize(length: number, random: SeededRandom): string {
  const hex = length.toString(16);
  if (random.isIn(80)) return hex;
  return random.isIn(50) ? hex.toUpperCase() : hex.padStart(4, '0');
}

/** uWebSockets.js takes so much of a head that comes in two parts, else 431. */
const MAX_TORN_HEAD_BYTES = 4000;

/** In one write, or torn behind the request line: uWebSockets.js answers 505 when that comes in two parts. */
export function encode(request: WireRequest, random: SeededRandom): WireBytes {
  const head = latin1(headOf(request, framingOf(request)));
  const bytes = Buffer.concat([head, framedBody(request, random)]);
  const { method } = request;
  const isTorn = head.length <= MAX_TORN_HEAD_BYTES;
  const pieces = isTorn ? tear(bytes, random, head.indexOf('\n') + 1) : [bytes];
  return { pieces, method, isHttp: true };
}

/** In one piece, or in two. */
export function tear(bytes: Buffer, random: SeededRandom, first = 1): Buffer[] {
  if (bytes.length <= first || random.isIn(85)) return [bytes];
  const at = random.integer(first, bytes.length - 1);
  return [bytes.subarray(0, at), bytes.subarray(at)];
}

export function latin1(text: string): Buffer {
  return Buffer.from(text, 'latin1');
}

/** Text in UTF-8 as the wire sees it: one character a byte. */
export function utf8(text: string): string {
  return Buffer.from(text).toString('latin1');
}

/** One header in place of all that had its name. */
export function withHeader(request: WireRequest, name: string, value: string): WireRequest {
  const others = request.headers.filter(([other]) => other.toLowerCase() !== name.toLowerCase());
  return { ...request, headers: [...others, [name, value]] };
}
