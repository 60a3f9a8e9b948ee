import { OCI_INDEX, OCI_MANIFEST } from '../sample-content.ts';
import type { SeededRandom } from '../seeded-random.ts';
import { someDigest } from './digests.ts';
import type { Scene } from './scene.ts';
import { type Pair, utf8, type WireRequest, withHeader } from './wire-request.ts';

const BIG = '9'.repeat(30);

/** Values that the registry reads, by header. All of them are HTTP (RFC 9110, section 5.5). */
const VALUES: Readonly<Record<string, readonly string[]>> = {
  Range: [
    'bytes=0-0',
    'bytes=0-',
    'bytes=-1',
    'bytes=-0',
    'bytes=-',
    'bytes=',
    'bytes',
    'bytes=5-3',
    'bytes=999999999-',
    `bytes=${BIG}-`,
    `bytes=0-${BIG}`,
    `bytes=-${BIG}`,
    'bytes=0-0,1-1',
    'bytes=0-0, -1',
    `bytes=${'0-0,'.repeat(500)}1-1`,
    'bytes=0x1-0x2',
    'bytes=1.5-2',
    'bytes=--1',
    'bytes=1--2',
    'bytes=0-0;a=b',
    'bytes = 0-0',
    'Bytes=0-0',
    'lines=0-0',
    'bytes=\t0-0',
    utf8('bytes=٣-٤'),
    'bytes=NaN-Infinity',
  ],
  'Content-Range': [
    '0-0',
    '0-4',
    '5-9',
    '4-0',
    '-1-4',
    '0-',
    '-4',
    '-',
    'bytes 0-4/5',
    'bytes 0-4/*',
    'bytes 0-4/3',
    'bytes */5',
    'bytes=0-4',
    `0-${BIG}`,
    `${BIG}-${BIG}`,
    '999999999999999-999999999999999',
    '0-999999999999999',
    '0-9007199254740993',
    '1.5-2',
    '0x0-0x4',
    '00000000-00000004',
    '0-4, 5-9',
    'a-b',
    '0 - 4',
  ],
  'Content-Type': [
    OCI_MANIFEST,
    OCI_INDEX,
    `${OCI_MANIFEST}; charset=utf-8`,
    OCI_MANIFEST.toUpperCase(),
    'application/vnd.oci.artifact.manifest.v1+json',
    'application/vnd.docker.distribution.manifest.v2+json',
    'application/vnd.docker.distribution.manifest.list.v2+json',
    'application/vnd.docker.distribution.manifest.v1+prettyjws',
    'application/json',
    'text/plain',
    ';',
    '/',
    'a/b/c',
    '__proto__',
    'multipart/form-data; boundary=x',
  ],
  'If-None-Match': ['*', '""', '"', 'W/"a"', '"a", "b"', ','.repeat(1000), 'W/', '*, *'],
  Accept: ['*/*', 'text/html', 'a', ';q=1', '*/*;q=99999', `${'a/b,'.repeat(500)}*/*`],
  'X-Request-Id': [
    'abc',
    'a\tb',
    utf8('ä€😀'),
    '\x80\x81\x9f',
    '\xff\xfe',
    'a'.repeat(2000),
    '"}{"level":"error"',
    '%0D%0A',
    '$(id)',
  ],
  'X-Forwarded-For': [
    '1.2.3.4',
    '::1',
    'unknown',
    `${'1.1.1.1, '.repeat(300)}x`,
    '-1',
    '999.0.0.1',
  ],
  Host: [
    '',
    'a',
    '127.0.0.1:0',
    '[::1]',
    'a:99999',
    'a b',
    'evil.example/path',
    '..',
    'a'.repeat(1000),
  ],
  Authorization: ['Basic', 'Basic !!!', 'Bearer', 'Bearer a.b.c', 'Basic Og==', 'a'.repeat(3000)],
  'If-Range': ['"a"', 'Wed, 21 Oct 2015 07:28:00 GMT'],
  'If-Match': ['*', '"a"'],
  'If-Modified-Since': ['Wed, 21 Oct 2099 07:28:00 GMT', 'never'],
  'Accept-Encoding': ['gzip', 'identity;q=0', '*;q=0', 'br, zstd'],
  'Content-Encoding': ['gzip', 'identity', 'x'],
  'Content-Digest': ['sha-256=:AAAA:', 'x'],
  TE: ['trailers', 'gzip'],
  Origin: ['null', 'https://evil.example'],
  Cookie: ['a=b; __proto__=c', '='],
  'X-Http-Method-Override': ['DELETE'],
};
const NAMES = Object.keys(VALUES);

/** For headers of any name. */
const ANY_VALUES: readonly string[] = [
  '',
  ' ',
  '\t',
  'a',
  '0',
  '-1',
  utf8('ü'),
  '\xff',
  'a'.repeat(4000),
];

/** Changes the headers in one place, so that they stay HTTP. */
export function mutateHeaders(
  request: WireRequest,
  random: SeededRandom,
  scene: Scene,
): WireRequest {
  const name = random.pick(NAMES);
  const value = valueFor(name, random, scene);
  const { headers } = request;
  switch (random.integer(1, 8)) {
    case 1:
      return {
        ...request,
        headers: headers.filter(([other]) => isNeeded(other) || random.isIn(50)),
      };
    case 2:
      // Sent twice, with two values; a second Host isn't HTTP.
      return isNeeded(name)
        ? request
        : {
            ...request,
            headers: [...headers, [name, value], [name, valueFor(name, random, scene)]],
          };
    case 3:
      return { ...request, headers: [...headers, ...crowd(random)] };
    case 4:
      return {
        ...request,
        headers: headers.map(([other, same]) => [changeCase(other, random), same]),
      };
    default:
      return withHeader(request, name, value);
  }
}

function valueFor(name: string, random: SeededRandom, scene: Scene): string {
  if (random.isIn(15)) return random.pick(ANY_VALUES);
  if (name === 'If-None-Match' && random.isIn(50)) return `"${someDigest(random, scene)}"`;
  if (name === 'Range' && random.isIn(30))
    return `bytes=${random.integer(0, 2000)}-${random.integer(0, 2000)}`;
  if (name === 'Content-Range' && random.isIn(30))
    return `${random.integer(0, 2)}-${random.integer(0, 2000)}`;
  return random.pick(VALUES[name] ?? ANY_VALUES);
}

function isNeeded(name: string): boolean {
  return name.toLowerCase() === 'host';
}

/** Many, but no more than every server takes. */
function crowd(random: SeededRandom): Pair[] {
  return Array.from({ length: random.integer(1, 60) }, (_, n) => [`X-${n % 7}`, `value ${n}`]);
}

function changeCase(name: string, random: SeededRandom): string {
  return random.isIn(50) ? name.toUpperCase() : name.toLowerCase();
}
