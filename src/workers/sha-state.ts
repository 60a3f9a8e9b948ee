import type { DigestAlgorithm } from '../oci/digest.ts';

/*
 * What SHA-256 and SHA-512 (FIPS 180-4, sections 6.2 and 6.4) know after some bytes: eight words, how many bytes they
 * were, and those that don't fill a block yet. Here in two shapes, w being the bytes of a word (4, and 8):
 *
 *   saved, as hash-wasm 4 saves it; little-endian              context of OpenSSL, SHA256_CTX and SHA512_CTX
 *   of its sha256.c and sha512.c                               of openssl/sha.h; here of little-endian hosts
 *        0   4    which build of hash-wasm                          0   8w   the words
 *        4  16w   bytes of the block that isn't full               8w   2w   count of bits, the lower half first
 *   4+16w    8    count of bytes                                  10w  16w   bytes of the block that isn't full
 *   12+16w  8w    the words                                       26w   4    how many these are
 *   12+24w   4    bytes of a digest                             4+26w   4    bytes of a digest
 *   16+24w   4    nothing
 */

/** Names the format of saved states, whoever saved it; changes when hash-wasm's does. */
export const SAVED_FORMAT = 'hash-wasm-4';

interface Shape {
  /** Of a word; see w above. A block has 16 words. */
  readonly wordBytes: number;
  readonly blockBytes: number;
  readonly digestBytes: number;
  readonly contextBytes: number;
  readonly savedBytes: number;
  /** Where the words begin in a saved state. */
  readonly words: number;
  /** The first bytes of SHA-1 of hash-wasm's program: it loads no other states. */
  readonly build: Uint8Array;
}

function shapeOf(wordBytes: number, build: readonly number[]): Shape {
  return {
    wordBytes,
    blockBytes: 16 * wordBytes,
    digestBytes: 8 * wordBytes,
    contextBytes: 26 * wordBytes + 8,
    savedBytes: 24 * wordBytes + 20,
    words: 16 * wordBytes + 12,
    build: Uint8Array.from(build),
  };
}

export const SHAPES: Readonly<Record<DigestAlgorithm, Shape>> = {
  sha256: shapeOf(4, [0x8e, 0xd6, 0x95, 0xa3]),
  sha512: shapeOf(8, [0x92, 0x2e, 0x1b, 0xd0]),
};

const BUILD_BYTES = 4;
/** A count of bits has 64 bits in SHA-256, and hash-wasm counts bytes in 64 bits for both. */
const MAX_LENGTH = 2n ** 61n - 1n;

/** @returns OpenSSL's context, in new memory; undefined when `saved` is no state of this format and algorithm */
export function contextOf(algorithm: DigestAlgorithm, saved: Uint8Array): Uint8Array | undefined {
  const { wordBytes: w, blockBytes, digestBytes, contextBytes, words } = SHAPES[algorithm];
  if (!isState(algorithm, saved)) return undefined;
  const length = viewOf(saved).getBigUint64(BUILD_BYTES + blockBytes, true);
  const pending = Number(length % BigInt(blockBytes));
  const context = new Uint8Array(contextBytes);
  const view = viewOf(context);
  context.set(saved.subarray(words, words + digestBytes));
  view.setBigUint64(8 * w, length * 8n, true);
  context.set(saved.subarray(BUILD_BYTES, BUILD_BYTES + pending), 10 * w);
  view.setUint32(26 * w, pending, true);
  view.setUint32(26 * w + 4, digestBytes, true);
  return context;
}

function isState(algorithm: DigestAlgorithm, saved: Uint8Array): boolean {
  const { blockBytes, digestBytes, savedBytes, build, words } = SHAPES[algorithm];
  if (saved.length !== savedBytes) return false;
  if (build.some((byte, at) => saved[at] !== byte)) return false;
  const view = viewOf(saved);
  return (
    view.getBigUint64(BUILD_BYTES + blockBytes, true) <= MAX_LENGTH &&
    view.getUint32(words + digestBytes, true) === digestBytes
  );
}

/**
 * The state in the format that is saved, in new memory.
 * @throws RangeError when `context` isn't of the layout above
 */
export function savedStateOf(algorithm: DigestAlgorithm, context: Uint8Array): Uint8Array {
  const { wordBytes: w, blockBytes, digestBytes, savedBytes, build, words } = SHAPES[algorithm];
  if (!isContext(algorithm, context)) throw new RangeError(`no context of ${algorithm} as known`);
  const from = viewOf(context);
  const saved = new Uint8Array(savedBytes);
  const view = viewOf(saved);
  saved.set(build);
  saved.set(context.subarray(10 * w, 10 * w + from.getUint32(26 * w, true)), BUILD_BYTES);
  view.setBigUint64(BUILD_BYTES + blockBytes, from.getBigUint64(8 * w, true) / 8n, true);
  saved.set(context.subarray(0, digestBytes), words);
  view.setUint32(words + digestBytes, digestBytes, true);
  return saved;
}

/** For tests: the same state, after more bytes than anybody would digest for it. @param bytes whole blocks */
export function movedOn(algorithm: DigestAlgorithm, saved: Uint8Array, bytes: bigint): Uint8Array {
  const at = BUILD_BYTES + SHAPES[algorithm].blockBytes;
  const moved = new Uint8Array(saved);
  const view = viewOf(moved);
  view.setBigUint64(at, view.getBigUint64(at, true) + bytes, true);
  return moved;
}

function isContext(algorithm: DigestAlgorithm, context: Uint8Array): boolean {
  const { wordBytes: w, blockBytes, digestBytes, contextBytes } = SHAPES[algorithm];
  if (context.length !== contextBytes) return false;
  const view = viewOf(context);
  const pendingBits = view.getBigUint64(8 * w, true) % BigInt(8 * blockBytes);
  return (
    pendingBits === 8n * BigInt(view.getUint32(26 * w, true)) &&
    view.getUint32(26 * w + 4, true) === digestBytes &&
    // The upper half of a count of 128 bits.
    (w === 4 || view.getBigUint64(9 * w, true) === 0n)
  );
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
}
