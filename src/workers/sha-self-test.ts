import { createHash } from 'node:crypto';
import { DIGEST_ALGORITHMS, type DigestAlgorithm } from '../oci/digest.ts';
import type { ResumableSha, ShaLibrary } from './resumable-sha.ts';
import { movedOn } from './sha-state.ts';

/** Around the ends of blocks, of either algorithm, and of the room that padding leaves in them; and many blocks at once. */
const CUTS = [0, 1, 55, 56, 63, 65, 111, 112, 128, 200, 4200, 4239, 10_000];
/** FIPS 180-4's example, which must come out whatever node:crypto says. */
const ABC: Readonly<Record<DigestAlgorithm, string>> = {
  sha256: 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad',
  sha512:
    'ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f',
};
/** Whole blocks: a little fewer than have 2^32 bits, and many more. */
const FAR_BYTES = [2n ** 29n - 128n, 5n * 2n ** 32n];

type Pair = readonly [ShaLibrary, ShaLibrary];

/**
 * Whether `one` digests right, and goes on from what `other` saved, and the other way round. Takes some 20 ms.
 * @throws what tells what it does wrong
 */
export async function testSha(one: ShaLibrary, other: ShaLibrary): Promise<void> {
  for (const algorithm of DIGEST_ALGORITHMS) {
    const abc = await begin(one, algorithm);
    abc.update(Buffer.from('abc'));
    expectSame(abc.digest(), ABC[algorithm], `"abc" by ${algorithm}`);
    await testTurns([one, other], algorithm);
    for (const farBytes of FAR_BYTES) await testFar([one, other], algorithm, farBytes);
  }
}

/** The libraries take turns, each from what the other saved. */
async function testTurns(libraries: Pair, algorithm: DigestAlgorithm): Promise<void> {
  const bytes = Uint8Array.from({ length: 10_000 }, (_, index) => (index * index) >> 3);
  let from: Uint8Array | undefined;
  let done = 0;
  for (const [turn, end] of CUTS.entries()) {
    const library = libraries[turn % 2 === 0 ? 0 : 1];
    const sha = await begin(library, algorithm, from);
    sha.update(bytes.subarray(done, end));
    const wanted = createHash(algorithm).update(bytes.subarray(0, end)).digest('hex');
    expectSame(sha.digest(), wanted, `${end} bytes by ${algorithm} of ${library.name}`);
    from = sha.save();
    done = end;
  }
}

/** Nobody digests as many bytes here: a state that says so is made, and both must agree what follows from it. */
async function testFar([one, other]: Pair, algorithm: DigestAlgorithm, farBytes: bigint) {
  const sha = await begin(one, algorithm);
  sha.update(new Uint8Array(5));
  const far = movedOn(algorithm, sha.save(), farBytes);
  const begun = await begin(one, algorithm, far);
  begun.update(new Uint8Array(1000));
  const later = await begin(other, algorithm, begun.save());
  const alone = await begin(other, algorithm, far);
  alone.update(new Uint8Array(1000));
  const what = `after ${farBytes} bytes by ${algorithm}`;
  expectSame(begun.digest(), alone.digest(), what);
  expectSame(later.digest(), alone.digest(), what);
}

async function begin(
  library: ShaLibrary,
  algorithm: DigestAlgorithm,
  from?: Uint8Array,
): Promise<ResumableSha> {
  const sha = await library.create(algorithm, from);
  if (!sha) throw new Error(`${library.name} can't load a state of ${algorithm}`);
  return sha;
}

function expectSame(found: string, wanted: string, what: string): void {
  if (found !== wanted) throw new Error(`the self-test failed: ${what}`);
}
