import type { SeededRandom } from '../seeded-random.ts';

/** Values as they are written, some of which JSON.stringify can't write. */
const LITERALS: readonly string[] = [
  'null',
  'true',
  '""',
  '"a"',
  '[]',
  '{}',
  '[null]',
  '[[]]',
  '{"a":1}',
  '{"__proto__":{"size":1}}',
  '{"toString":1}',
  '{"length":-1}',
  '0',
  '-0',
  '-1',
  '1.5',
  '1e400',
  '-1e400',
  '1e-400',
  '2147483648',
  '9007199254740993',
  '123456789012345678901234567890',
  '1e21',
  '3',
  '1',
  '"\\u0000"',
  '"a\\u0000b"',
  '"\\ud800"',
  '"\\udc00\\ud800"',
  '"\\r\\n"',
  '"\\u2028"',
  '"😀"',
  '"../../etc/passwd"',
  `"sha256:${'a'.repeat(64)}"`,
  `"sha256:${'A'.repeat(64)}"`,
  '"sha256:"',
  '"application/vnd.oci.image.index.v1+json"',
  '"application/vnd.docker.distribution.manifest.v2+json"',
  '"application/vnd.oci.image.layer.nondistributable.v1.tar"',
  '"application/vnd.oci.artifact.manifest.v1+json"',
  `"${'a'.repeat(300)}"`,
  `"${'a'.repeat(20_000)}"`,
  '['.repeat(500) + ']'.repeat(500),
  '{"a":'.repeat(500) + '1' + '}'.repeat(500),
  // These end the document, or make it none.
  'NaN',
  'undefined',
  '01',
  "'a'",
  '1}',
  '"',
];
const NAMES: readonly string[] = [
  'schemaVersion',
  'mediaType',
  'artifactType',
  'config',
  'layers',
  'blobs',
  'manifests',
  'subject',
  'annotations',
  'digest',
  'size',
  'urls',
  'data',
  'platform',
  '__proto__',
  'constructor',
  '',
  'a\0b',
  'history',
  'fsLayers',
  'signatures',
];

/** No document has it. */
const MARK = 'MARK-OF-A-LITERAL';

/** Larger or deeper ones are changed as text. */
const MAX_DOCUMENT_BYTES = 100_000;

/** Changes a document in one place; what comes out needn't be JSON any more. */
export function mutateDocument(bytes: Buffer, random: SeededRandom): Buffer {
  const document = parse(bytes);
  const places = placesOf(document);
  if (places.length === 0 || random.isIn(35)) return mutateText(bytes, random);
  const { holder, name } = random.pick(places);
  switch (random.integer(1, 5)) {
    case 1:
      remove(holder, name);
      break;
    case 2:
      set(holder, random.isIn(70) ? random.pick(NAMES) : name, MARK);
      break;
    case 3:
      repeat(holder, random);
      break;
    default:
      set(holder, name, MARK);
  }
  const literal = random.pick(LITERALS);
  return Buffer.from(JSON.stringify(document).replaceAll(`"${MARK}"`, () => literal));
}

function parse(bytes: Buffer): unknown {
  if (bytes.length > MAX_DOCUMENT_BYTES || bytes.includes('[[[[')) return undefined;
  try {
    return JSON.parse(bytes.toString());
  } catch {
    return undefined;
  }
}

interface Place {
  readonly holder: object;
  readonly name: string;
}

/** Of the upper levels: deeper ones are no fields of a manifest. */
function placesOf(value: unknown, levels = 8): Place[] {
  if (typeof value !== 'object' || value === null || levels === 0) return [];
  const places: Place[] = [];
  for (const [name, inner] of Object.entries(value)) {
    places.push({ holder: value, name }, ...placesOf(inner, levels - 1));
  }
  return places;
}

function set(holder: object, name: string, value: unknown): void {
  if (Array.isArray(holder)) holder[Number(name) || 0] = value;
  else
    Object.defineProperty(holder, name, {
      value,
      enumerable: true,
      configurable: true,
      writable: true,
    });
}

function remove(holder: object, name: string): void {
  if (Array.isArray(holder)) holder.splice(Number(name), 1);
  else Reflect.deleteProperty(holder, name);
}

/** A list with the same entry many times, or many annotations. */
function repeat(holder: object, random: SeededRandom): void {
  const times = random.integer(1, 200);
  if (!Array.isArray(holder)) {
    for (let n = 0; n < times; n += 1) set(holder, `name ${n}`, String(n));
    return;
  }
  const [first = null] = holder;
  for (let n = 0; n < times; n += 1) holder.push(first);
}

function mutateText(bytes: Buffer, random: SeededRandom): Buffer {
  const at = random.integer(0, bytes.length);
  const insert = (piece: Buffer | string) =>
    Buffer.concat([bytes.subarray(0, at), Buffer.from(piece), bytes.subarray(at)]);
  switch (random.integer(1, 13)) {
    case 1:
      return bytes.subarray(0, at);
    case 2:
      return Buffer.concat([Buffer.from('\uFEFF'), bytes]);
    case 3:
      return insert(
        random.pick([
          Buffer.from([0xff]),
          Buffer.from([0xc0, 0xaf]),
          Buffer.from([0xed, 0xa0, 0x80]),
        ]),
      );
    case 4:
      return insert('\0');
    case 5:
      return Buffer.from(bytes.toString(), 'utf16le');
    case 6:
      return Buffer.from(random.pick(LITERALS));
    case 7: {
      const depth = random.integer(1000, 100_000);
      return Buffer.from(`${'['.repeat(depth)}${random.isIn(50) ? ']'.repeat(depth) : ''}`);
    }
    case 8:
      // A name for the second time: the last one counts, for most readers.
      return Buffer.from(
        bytes
          .toString()
          .replace(
            /}$/,
            `,"${random.pick(NAMES.filter((name) => name !== 'a\0b'))}":${random.pick(LITERALS)}}`,
          ),
      );
    case 9:
      return random.bytes(random.integer(0, 500));
    case 10:
      return Buffer.concat([bytes, bytes]);
    case 11:
      return Buffer.concat([Buffer.alloc(random.integer(1, 5000), ' \n'), bytes]);
    case 12:
      return flipBits(bytes, random);
    default:
      return Buffer.alloc(0);
  }
}

export function flipBits(bytes: Buffer, random: SeededRandom): Buffer {
  const copy = Buffer.from(bytes);
  for (let n = random.integer(1, 5); n > 0 && copy.length > 0; n -= 1) {
    const at = random.integer(0, copy.length - 1);
    copy[at] = (copy[at] ?? 0) ^ (1 << random.integer(0, 7));
  }
  return copy;
}
