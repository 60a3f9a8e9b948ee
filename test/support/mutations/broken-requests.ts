import type { SeededRandom } from '../seeded-random.ts';
import { flipBits } from './json-documents.ts';
import {
  framedBody,
  framingOf,
  headOf,
  latin1,
  type Pair,
  tear,
  utf8,
  type WireBytes,
  type WireRequest,
} from './wire-request.ts';

type Breaker = (request: WireRequest, random: SeededRandom) => string | Buffer;

const LENGTHS: readonly string[] = [
  'abc',
  '-1',
  '+3',
  '0x3',
  '3, 3',
  '3 3',
  '',
  '1e1',
  '99999999999999999999999',
  '18446744073709551617',
  '00000003',
  '1.0',
];
const CODINGS: readonly string[] = [
  'gzip',
  'gzip, chunked',
  'chunked, gzip',
  'Chunked',
  ' chunked',
  'x',
  '',
  'identity',
  'chunked\x0b',
];
const CHUNKS: readonly string[] = [
  'zz\r\nabc\r\n0\r\n\r\n',
  '-3\r\nabc\r\n0\r\n\r\n',
  '0x3\r\nabc\r\n0\r\n\r\n',
  '3;name=value\r\nabc\r\n0\r\n\r\n',
  '3\r\nabcd\r\n0\r\n\r\n',
  '3\nabc\n0\n\n',
  'FFFFFFFFFFFFFFFFFFFF\r\nabc',
  '7fffffff\r\nabc',
  '3\r\nabc\r\n0\r\nTrailer: x\r\n\r\n',
  '\r\n\r\n',
  '3\r\nab',
];
const CONTROLS: readonly string[] = [
  '\0',
  '\x01',
  '\x0b',
  '\x1b[31m',
  '\x7f',
  '\r',
  '\n',
  '\r\n ',
  '\n\n',
];
const METHODS: readonly string[] = [
  'get',
  'Get',
  'FOO',
  'OPTIONS',
  'TRACE',
  'CONNECT',
  'PROPFIND',
  'GET GET',
  'G\0T',
  '',
  'A'.repeat(2000),
  'put',
  '"GET"',
];
const VERSIONS: readonly string[] = [
  'HTTP/1.0',
  'HTTP/0.9',
  'HTTP/2.0',
  'HTTP/1.2',
  'http/1.1',
  'HTTP/1.1 ',
  'HTTP/',
  '',
  'HTTP/11',
];

function head(request: WireRequest, framing: readonly Pair[] = framingOf(request)): string {
  return headOf(request, framing);
}

function whole(request: WireRequest, random: SeededRandom, text = head(request)): Buffer {
  return Buffer.concat([latin1(text), framedBody(request, random)]);
}

/** What HTTP doesn't allow, or leaves to the server; by its name. */
const BREAKERS: Readonly<Record<string, Breaker>> = {
  'a strange Content-Length': (request, random) =>
    head(request, [['Content-Length', random.pick(LENGTHS)]]) + 'abc',
  'two Content-Lengths': (request, random) =>
    head(request, [
      ['Content-Length', '3'],
      ['Content-Length', random.pick(['3', '4', '0'])],
    ]) + 'abcd',
  'Content-Length and Transfer-Encoding': (request) =>
    head(request, [
      ['Content-Length', '3'],
      ['Transfer-Encoding', 'chunked'],
    ]) + '0\r\n\r\nGET /v2/ HTTP/1.1\r\nHost: a\r\n\r\n',
  'a strange Transfer-Encoding': (request, random) =>
    head(request, [['Transfer-Encoding', random.pick(CODINGS)]]) + '3\r\nabc\r\n0\r\n\r\n',
  'two Transfer-Encodings': (request) =>
    head(request, [
      ['Transfer-Encoding', 'chunked'],
      ['Transfer-Encoding', 'identity'],
    ]) + '0\r\n\r\n',
  'strange chunks': (request, random) =>
    head(request, [['Transfer-Encoding', 'chunked']]) + random.pick(CHUNKS),
  'a body longer than announced': (request, random) =>
    head(request, [['Content-Length', '3']]) + `abc${random.pick(['\r\n', 'x', 'GET /v2/'])}`,
  'a control character': (request, random) => {
    const text = head(request);
    // Behind the method, where it could be a part of any of the rest.
    const at = random.integer(request.method.length + 1, text.length - 1);
    return whole(request, random, text.slice(0, at) + random.pick(CONTROLS) + text.slice(at));
  },
  'another method': (request, random) =>
    whole({ ...request, method: random.pick(METHODS) }, random),
  'another version': (request, random) =>
    whole(request, random, head(request).replace('HTTP/1.1', random.pick(VERSIONS))),
  'another form of target': (request, random) =>
    whole(
      request,
      random,
      head(request).replace(
        ' /',
        random.pick([' http://a/', ' *', ' a:1', '  /', '\t/', ' ', ' //a/']),
      ),
    ),
  'no Host': (request, random) => whole({ ...request, headers: [] }, random),
  'two Hosts': (request, random) =>
    whole({ ...request, headers: [...request.headers, ['Host', 'other']] }, random),
  'too many headers': (request, random) => {
    const many: Pair[] = Array.from({ length: random.integer(90, 3000) }, () => ['X', 'y']);
    return whole({ ...request, headers: [...request.headers, ...many] }, random);
  },
  'a long header': (request, random) => {
    const header: Pair = ['X', 'y'.repeat(random.integer(8000, 100_000))];
    return whole({ ...request, headers: [...request.headers, header] }, random);
  },
  'a long target': (request, random) => {
    const segments = [...request.segments, 'a'.repeat(random.integer(8000, 100_000))];
    return whole({ ...request, segments }, random);
  },
  'bytes above ASCII in its target': (request, random) => {
    const at = random.integer(0, request.segments.length);
    const segment = random.pick([
      utf8('ä'),
      utf8('😀'),
      `sha256:${utf8('٣').repeat(64)}`,
      '\xff\xfe',
    ]);
    return whole({ ...request, segments: request.segments.toSpliced(at, 1, segment) }, random);
  },
  'a header of a strange name': (request, random) => {
    const name = random.pick(['', 'a b', 'a ', ' a', 'ä', 'a:b', 'a\0', '(a)', 'x'.repeat(9000)]);
    return whole({ ...request, headers: [...request.headers, [name, 'b']] }, random);
  },
  'a header that asks for more': (request, random) => {
    const header: Pair = random.pick([
      ['Expect', '100-continue'],
      ['Expect', 'the impossible'],
      ['Upgrade', 'websocket'],
      ['Upgrade', 'h2c'],
      ['Connection', 'close'],
      ['Connection', 'Upgrade, HTTP2-Settings'],
      ['Connection', 'Host, Content-Length'],
      ['Trailer', 'Content-Length'],
    ]);
    return whole({ ...request, headers: [...request.headers, header] }, random);
  },
  'lines without CR': (request) => head(request).replaceAll('\r\n', '\n'),
  'empty lines before it': (request, random) => whole(request, random, `\r\n\r\n${head(request)}`),
  'flipped bits': (request, random) => flipBits(whole(request, random), random),
  'another protocol': (_, random) =>
    random.pick([
      latin1('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0'),
      Buffer.from('16030100f8010000f40303', 'hex'),
      latin1('SSH-2.0-OpenSSH_9.9\r\n'),
      latin1('*1\r\n$4\r\nPING\r\n'),
      latin1('\r\n'.repeat(500)),
      random.bytes(random.integer(1, 3000)),
      Buffer.alloc(20_000, 'A'),
      Buffer.alloc(100),
    ]),
};
const NAMES = Object.keys(BREAKERS);

/** Bytes that no server has to answer; if it does, the answer has to be right. */
export function breakRequest(request: WireRequest, random: SeededRandom): WireBytes {
  // To HEAD nobody knows how long a parser's answer is.
  const method = request.method === 'HEAD' ? 'GET' : request.method;
  const breaker = BREAKERS[random.pick(NAMES)];
  const broken = breaker?.({ ...request, method }, random) ?? '';
  const bytes = typeof broken === 'string' ? latin1(broken) : broken;
  return { pieces: tear(bytes, random), method, isHttp: false };
}

/** The beginning of a request, of any length. */
export function halveRequest(request: WireRequest, random: SeededRandom): WireBytes {
  const bytes = whole(request, random);
  const part = bytes.subarray(0, random.integer(0, bytes.length - 1));
  return { pieces: tear(part, random), method: request.method, isHttp: false };
}
