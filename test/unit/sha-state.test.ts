import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { DIGEST_ALGORITHMS, type DigestAlgorithm } from '../../src/oci/digest.ts';
import { openOpensslSha } from '../../src/workers/openssl-sha.ts';
import type { ShaLibrary } from '../../src/workers/resumable-sha.ts';
import { contextOf, movedOn, SHAPES, savedStateOf } from '../../src/workers/sha-state.ts';
import { wasmSha } from '../../src/workers/wasm-sha.ts';
import { SeededRandom } from '../support/seeded-random.ts';
import { present } from '../support/vocabulary.ts';

const MIB = 1024 * 1024;
/** Around the ends of blocks and the room for padding, of both algorithms. */
const LENGTHS = [
  0,
  1,
  2,
  3,
  4,
  5,
  7,
  8,
  9,
  31,
  32,
  33,
  54,
  55,
  56,
  57,
  63,
  64,
  65,
  110,
  111,
  112,
  113,
  119,
  120,
  127,
  128,
  129,
  183,
  191,
  192,
  193,
  255,
  256,
  257,
  1000,
  4095,
  65_536,
  100_003,
  MIB,
  MIB + 7,
];

const openssl = await openOpensslSha();
const LIBRARIES: readonly ShaLibrary[] = [openssl, wasmSha];
const WAYS = DIGEST_ALGORITHMS.flatMap((algorithm) =>
  LIBRARIES.flatMap((from) => LIBRARIES.map((to) => ({ algorithm, from, to }))),
).map((way) => ({ ...way, title: `${way.algorithm}: ${way.from.name} → ${way.to.name}` }));

function hexOf(algorithm: DigestAlgorithm, bytes: Uint8Array): string {
  return createHash(algorithm).update(bytes).digest('hex');
}

async function begin(library: ShaLibrary, algorithm: DigestAlgorithm, from?: Uint8Array) {
  return present(await library.create(algorithm, from), `a state that ${library.name} loads`);
}

/** What OpenSSL says of a context that was made of a saved state, and saved again. */
function throughContext(algorithm: DigestAlgorithm, saved: Uint8Array): Uint8Array {
  return savedStateOf(algorithm, present(contextOf(algorithm, saved), 'the context'));
}

describe.each(WAYS)('$title', ({ algorithm, from, to }) => {
  test('goes on after each length, and digests what node:crypto does', async () => {
    const bytes = new SeededRandom(7).bytes(MIB + 200);
    for (const length of LENGTHS) {
      const before = await begin(from, algorithm);
      before.update(bytes.subarray(0, length));
      expect(before.digest(), `${length}`).toBe(hexOf(algorithm, bytes.subarray(0, length)));
      for (const more of [0, 1, 64, 150]) {
        const after = await begin(to, algorithm, before.save());
        after.update(bytes.subarray(length, length + more));
        const wanted = hexOf(algorithm, bytes.subarray(0, length + more));
        expect(after.digest(), `${length} and ${more} bytes`).toBe(wanted);
      }
    }
  });

  test.each([1, 2, 3, 4, 5])('takes turns at places that nobody chose: run %d', async (seed) => {
    const random = new SeededRandom(seed);
    const bytes = random.bytes(30_000);
    const hash = createHash(algorithm);
    let saved: Uint8Array | undefined;
    for (const piece of random.cut(bytes, 700)) {
      const sha = await begin(random.isIn(50) ? from : to, algorithm, saved);
      for (const chunk of random.cut(piece, 130)) sha.update(chunk);
      hash.update(piece);
      expect(sha.digest()).toBe(hash.copy().digest('hex'));
      saved = sha.save();
    }
  });

  test.each([
    ['a little before 2^32 bits, and over them', 2n ** 29n - 256n],
    ['at 2^32 bits', 2n ** 29n],
    ['beyond 2^32 bytes', 2n ** 32n + 128n],
    ['at 32 GiB', 2n ** 35n],
    ['beyond what a number holds', 2n ** 60n + 2n ** 53n],
  ])('counts on %s', async (_, farBytes) => {
    for (const pending of [0, 5, 119]) {
      const start = await begin(from, algorithm);
      start.update(new Uint8Array(pending).fill(1));
      const far = movedOn(algorithm, start.save(), farBytes);
      const [one, other] = [await begin(from, algorithm, far), await begin(to, algorithm, far)];
      for (const sha of [one, other]) sha.update(new Uint8Array(1000).fill(2));
      expect(other.digest()).toBe(one.digest());
      expect(other.digest()).not.toBe(start.digest());
      expect((await begin(to, algorithm, one.save())).digest()).toBe(one.digest());
      expect(throughContext(algorithm, one.save())).toEqual(
        throughContext(algorithm, other.save()),
      );
    }
  });
});

describe.each(DIGEST_ALGORITHMS)('%s', (algorithm) => {
  test('is converted there and back without a loss', async () => {
    const random = new SeededRandom(3);
    for (const length of LENGTHS) {
      const sha = await begin(openssl, algorithm);
      sha.update(random.bytes(length));
      expect(throughContext(algorithm, sha.save())).toEqual(sha.save());
    }
  });

  test('leaves no bytes of earlier blocks in what is saved', async () => {
    const sha = await begin(openssl, algorithm);
    for (let n = 0; n < 3; n += 1) sha.update(new Uint8Array(100).fill(0x5a));
    const { blockBytes } = SHAPES[algorithm];
    const rest = sha.save().subarray(4 + (300 % blockBytes), 4 + blockBytes);
    expect(rest).toEqual(new Uint8Array(rest.length));
  });

  test('OpenSSL reads a view from its own beginning to its own end', async () => {
    const memory = new SeededRandom(5).bytes(5000);
    for (const [from, to] of [
      [0, 5000],
      [1, 4999],
      [13, 14],
      [77, 77],
      [5000, 5000],
      [3, 4000],
    ]) {
      const view = new Uint8Array(memory.buffer, memory.byteOffset, memory.length).subarray(
        from,
        to,
      );
      const sha = await begin(openssl, algorithm);
      sha.update(view);
      expect(sha.digest(), `${from} to ${to}`).toBe(hexOf(algorithm, memory.subarray(from, to)));
    }
  });

  test('a state may be a view into other memory, of which nothing is kept or changed', async () => {
    for (const library of LIBRARIES) {
      const first = await begin(library, algorithm);
      first.update(Buffer.from('one'));
      const saved = first.save();
      const memory = Buffer.concat([Buffer.of(1, 2, 3), saved, Buffer.of(4)]);
      const view = memory.subarray(3, -1);
      const second = await begin(library, algorithm, view);
      second.update(Buffer.from('two'));
      expect(Buffer.from(saved).equals(view), library.name).toBe(true);
      memory.fill(0xff);
      expect(second.digest(), library.name).toBe(hexOf(algorithm, Buffer.from('onetwo')));
    }
  });

  test('what is saved is a snapshot, and a digest ends nothing', async () => {
    for (const library of LIBRARIES) {
      const sha = await begin(library, algorithm);
      sha.update(Buffer.from('one'));
      const saved = sha.save();
      expect(sha.digest()).toBe(hexOf(algorithm, Buffer.from('one')));
      sha.update(Buffer.from('two'));
      expect(sha.digest()).toBe(hexOf(algorithm, Buffer.from('onetwo')));
      expect((await begin(library, algorithm, saved)).digest()).toBe(
        hexOf(algorithm, Buffer.from('one')),
      );
    }
  });

  test('OpenSSL starts from no state that is not one', async () => {
    const good = (await begin(wasmSha, algorithm)).save();
    const { blockBytes, digestBytes } = SHAPES[algorithm];
    const changed = (at: number, value: number) => {
      const bytes = new Uint8Array(good);
      bytes[at] = value;
      return bytes;
    };
    const broken: readonly (readonly [string, Uint8Array])[] = [
      ['empty', new Uint8Array(0)],
      ['cut', good.subarray(1)],
      ['too long', Buffer.concat([good, Buffer.of(0)])],
      ['zeros', new Uint8Array(good.length)],
      ['another build of hash-wasm', changed(0, 0)],
      ['more bytes than can be counted', changed(4 + blockBytes + 7, 0x20)],
      ['a digest of another length', changed(12 + blockBytes + digestBytes, 28)],
    ];
    for (const [what, saved] of broken) {
      expect(contextOf(algorithm, saved), what).toBeUndefined();
      expect(await openssl.create(algorithm, saved), what).toBeUndefined();
    }
    expect(contextOf(algorithm, good)).toBeDefined();
  });

  test('nothing is saved of a context of another layout', async () => {
    const context = present(contextOf(algorithm, (await begin(openssl, algorithm)).save()), 'it');
    const { wordBytes } = SHAPES[algorithm];
    const changed = (at: number, value: number) => {
      const bytes = new Uint8Array(context);
      bytes[at] = value;
      return bytes;
    };
    const strange: readonly (readonly [string, Uint8Array])[] = [
      ['shorter', context.subarray(4)],
      ['longer', Buffer.concat([context, Buffer.alloc(8)])],
      ['a count of pending bytes that is not that of bits', changed(26 * wordBytes, 1)],
      ['pending bytes that are more than a block', changed(26 * wordBytes + 1, 1)],
      ['bits that make no byte', changed(8 * wordBytes, 1)],
      ['the digest of a sibling', changed(26 * wordBytes + 4, 28)],
    ];
    for (const [what, bytes] of strange) {
      expect(() => savedStateOf(algorithm, bytes), what).toThrow(RangeError);
    }
    expect(() => savedStateOf(algorithm, context)).not.toThrow();
  });
});

/** Rows of this kind are in databases: 70 times "a" was digested, and saved by hash-wasm 4.13.0. */
const OF_A_DATABASE =
  '8ed695a3' +
  '61'.repeat(6) +
  '00'.repeat(58) +
  '4600000000000000' +
  '1cb85bdf26061ee894a845fb310fd44f16685eb2c199d4d6294990ab665e6300' +
  '20000000' +
  '00000000';

test.each(LIBRARIES)('$name saves what is in databases, byte for byte', async (library) => {
  const sha = await begin(library, 'sha256');
  for (const length of [64, 6]) sha.update(new Uint8Array(length).fill(0x61));
  expect(Buffer.from(sha.save()).toString('hex')).toBe(OF_A_DATABASE);
  const loaded = await begin(library, 'sha256', Buffer.from(OF_A_DATABASE, 'hex'));
  expect(loaded.digest()).toBe(hexOf('sha256', Buffer.alloc(70, 'a')));
});
