import type { SeededRandom } from '../seeded-random.ts';
import { someDigest } from './digests.ts';
import type { Scene } from './scene.ts';
import type { Pair, WireRequest } from './wire-request.ts';

/** Segments of a path: broken, overlong or double encodings, dots, what a language or a database takes for its own. */
const SEGMENTS: readonly string[] = [
  '',
  '.',
  '..',
  '...',
  '%2e%2e',
  '%2F',
  '%2f%2F',
  'a%2Fb',
  '%',
  '%%',
  '%2',
  '%zz',
  '%00',
  'a%00b',
  '%C0%AF',
  '%E0%80%AF',
  '%ED%A0%80',
  '%F4%90%80%80',
  '%FF',
  '%C3%A4',
  '%F0%9F%98%80',
  '%u0041',
  '%252e',
  '%0D%0AX-Injected:%201',
  '%20',
  '+',
  '\\',
  'a;b=c',
  "'",
  "'%20or%201=1--",
  '"',
  '`',
  '<script>',
  '{}',
  '#',
  '*',
  '_catalog',
  'blobs',
  'uploads',
  'manifests',
  'tags',
  'list',
  'referrers',
  'v2',
  'latest',
  'LATEST',
  'A',
  'a--b',
  'a..b',
  'a__b',
  'a___b',
  '-a',
  'a-',
  '.a',
  '_',
  'Fuzz',
  '__proto__',
  'constructor',
  'toString',
  'undefined',
  'null',
  'NaN',
  '0',
  '-1',
  '00000000-0000-0000-0000-000000000000',
  '00000000-0000-0000-0000-00000000000G',
  'a'.repeat(128),
  'a'.repeat(129),
  'a'.repeat(256),
  'a'.repeat(5000),
  '%61'.repeat(1000),
  `${'a-'.repeat(126)}a!`,
];

const VALUES: readonly string[] = [
  ...SEGMENTS,
  '1',
  '1000',
  '1001',
  '99999999999999999999999999',
  '2147483648',
  '9007199254740993',
  '1e9',
  '0x10',
  '1.5',
  '%31',
  '%D9%A3',
  'true',
  'sha256',
  'sha512',
  'md5',
  'application/json',
  'fuzz/app',
  'fuzz%2Fapp',
  'a&a=b',
  '=',
  '&&&',
  '?',
];

const NAMES: readonly string[] = [
  'n',
  'last',
  'digest',
  'mount',
  'from',
  'tag',
  'artifactType',
  'digest-algorithm',
  'n[]',
  'n[a]',
  'N',
  'dig%65st',
  '',
  '%00',
  '%',
  '__proto__',
  'x'.repeat(1000),
];

type Target = Pick<WireRequest, 'segments' | 'query'>;

/** Changes the path in one place. */
export function mutatePath({ segments }: Target, random: SeededRandom, scene: Scene): string[] {
  const at = random.integer(0, segments.length);
  const segment = random.isIn(30) ? someDigest(random, scene) : random.pick(SEGMENTS);
  const old = segments[at] ?? '';
  switch (random.integer(1, 8)) {
    case 1:
      return segments.toSpliced(at, 1);
    case 2:
      return segments.toSpliced(at, 0, segment);
    case 3:
      return [...segments.slice(0, -1), segment];
    case 4:
      return segments.toSpliced(at, 1, random.isIn(50) ? old.toUpperCase() : `${old}${segment}`);
    case 5:
      return segments.toSpliced(at, 1, percentEncoded(old, random));
    case 6:
      return segments.toSpliced(
        at,
        0,
        ...Array.from({ length: random.integer(1, 200) }, () => 'a'),
      );
    default:
      return segments.toSpliced(at, 1, segment);
  }
}

/** Means the same, where it is decoded once. */
function percentEncoded(text: string, random: SeededRandom): string {
  const isAll = random.isIn(50);
  return text.replace(/[^%]/g, (character) =>
    isAll || random.isIn(20)
      ? `%${character.charCodeAt(0).toString(16).padStart(2, '0')}`
      : character,
  );
}

/** Changes the query in one place. */
export function mutateQuery({ query }: Target, random: SeededRandom, scene: Scene): Pair[] {
  const at = random.integer(0, query.length);
  const [name = random.pick(NAMES), value = ''] = query[at] ?? [];
  const other = random.isIn(30) ? someDigest(random, scene) : random.pick(VALUES);
  switch (random.integer(1, 6)) {
    case 1:
      return query.toSpliced(at, 1);
    case 2:
      return query.toSpliced(at, 0, [name, other], [name, value]);
    case 3:
      return query.toSpliced(at, 0, ...repeated(random, [name, other]));
    case 4:
      return query.toSpliced(at, 1, [random.pick(NAMES), value]);
    default:
      return query.toSpliced(at, 1, [name, other]);
  }
}

/** As many as fit into a head that every server takes. */
function repeated(random: SeededRandom, [name, value]: Pair): Pair[] {
  const fitting = Math.floor(4000 / (name.length + value.length + 2));
  return Array.from({ length: random.integer(0, Math.min(fitting, 300)) }, () => [name, value]);
}
