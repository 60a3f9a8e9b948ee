import { Decompress } from 'fzstd';
import { ByteReader } from './byte-reader.ts';
import { Unreadable } from './unreadable.ts';

/*
 * Zstandard (RFC 8878). The decompressor gets its frames block by block: it would hold a window as large as the frame
 * asks for, up to 2 GiB, and give all that a piece of input makes at once.
 */

const MAGIC = 0xfd2fb528;
const SKIPPABLE = 0x184d2a50;
const MIB = 1024 * 1024;
/** Matches that are farther away are more than the decompressor's arithmetic can tell. Builders use up to 8 MiB. */
const MAX_WINDOW_BYTES = 32 * MIB;
const MIN_WINDOW_LOG = 10;
const MAX_BLOCK_BYTES = 128 * 1024;
const BLOCK_HEADER_BYTES = 3;
/** A frame of no more blocks gets a window of their size: some builders make a frame of each file. */
const SMALL_FRAME_BLOCKS = 8;
/** A byte that is repeated as often as the block's size says. */
const RLE_BLOCK = 1;
const NO_BYTES = new Uint8Array(0);

interface FrameHeader {
  readonly windowBytes: number;
  readonly hasChecksum: boolean;
}

interface Block {
  readonly bytes: Uint8Array;
  readonly isLast: boolean;
}

/** @throws Unreadable */
export async function* decompressZstd(
  chunks: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array, void, undefined> {
  const reader = new ByteReader(chunks);
  try {
    while (!(await reader.isAtEnd())) {
      const magic = littleEndian(await takeAll(reader, 4));
      if (magic === MAGIC) yield* decompressFrame(reader);
      else if (magic - (magic % 16) === SKIPPABLE) await skipFrame(reader);
      else throw new Unreadable('it has bytes that are no zstd frame');
    }
  } finally {
    await reader.close();
  }
}

async function skipFrame(reader: ByteReader): Promise<void> {
  const isWhole = await reader.skip(littleEndian(await takeAll(reader, 4)));
  if (!isWhole) throw new Unreadable('it ends in the middle of a zstd frame');
}

async function* decompressFrame(reader: ByteReader): AsyncGenerator<Uint8Array, void, undefined> {
  const { windowBytes, hasChecksum } = await readFrameHeader(reader);
  const first: Block[] = [];
  while (first.length < SMALL_FRAME_BLOCKS && !first.at(-1)?.isLast) {
    first.push(await readBlock(reader));
  }
  const isWhole = first.at(-1)?.isLast === true;
  const neededBytes = isWhole ? first.length * MAX_BLOCK_BYTES : windowBytes;
  const frame = new FrameDecompressor(Math.min(windowBytes, neededBytes));
  for (const block of first) yield* frame.decompress(block);
  const space = isWhole ? NO_BYTES : new Uint8Array(BLOCK_HEADER_BYTES + MAX_BLOCK_BYTES);
  for (let isOver = isWhole; !isOver; ) {
    const block = await readBlock(reader, space);
    yield* frame.decompress(block);
    isOver = block.isLast;
  }
  // Of the bytes, whose digest was compared when they were pushed.
  if (hasChecksum) await takeAll(reader, 4);
}

/** RFC 8878, section 3.1.1.1; the magic number has been read. */
async function readFrameHeader(reader: ByteReader): Promise<FrameHeader> {
  const [descriptor = 0] = await takeAll(reader, 1);
  const isSingleSegment = (descriptor & 0x20) !== 0;
  if (descriptor & 0x08) throw new Unreadable('its zstd frame has a reserved bit');
  const [windowByte = 0] = isSingleSegment ? [] : await takeAll(reader, 1);
  const dictionaryBytes = [0, 1, 2, 4][descriptor & 3] ?? 0;
  if (littleEndian(await takeAll(reader, dictionaryBytes)) !== 0) {
    throw new Unreadable('its zstd frame needs a dictionary');
  }
  const contentFlag = descriptor >> 6;
  const contentBytes = contentFlag === 0 ? Number(isSingleSegment) : 1 << contentFlag;
  const contentSize = littleEndian(await takeAll(reader, contentBytes));
  const windowBytes = isSingleSegment
    ? contentSize + (contentFlag === 1 ? 256 : 0)
    : 2 ** (MIN_WINDOW_LOG + (windowByte >> 3)) * (1 + (windowByte & 7) / 8);
  if (windowBytes > MAX_WINDOW_BYTES) {
    throw new Unreadable(
      `its zstd frame needs a window of ${Math.ceil(windowBytes / MIB)} MiB, more than ${MAX_WINDOW_BYTES / MIB}`,
    );
  }
  return { windowBytes, hasChecksum: (descriptor & 0x04) !== 0 };
}

/** With its header; in `space` if it is given, which the decompressor has done with when it has decompressed. */
async function readBlock(reader: ByteReader, space?: Uint8Array): Promise<Block> {
  const header = await takeAll(reader, BLOCK_HEADER_BYTES);
  const fields = littleEndian(header);
  const sizeBytes = fields >> 3;
  if (sizeBytes > MAX_BLOCK_BYTES) throw new Unreadable('a block of its zstd frame is too large');
  const isRepeated = ((fields >> 1) & 3) === RLE_BLOCK;
  const length = BLOCK_HEADER_BYTES + (isRepeated ? 1 : sizeBytes);
  const bytes = space ? space.subarray(0, length) : new Uint8Array(length);
  bytes.set(header);
  await fillAll(reader, bytes.subarray(BLOCK_HEADER_BYTES));
  return { bytes, isLast: (fields & 1) === 1 };
}

class FrameDecompressor {
  readonly #decompress: Decompress;
  #output: Uint8Array[] = [];

  constructor(windowBytes: number) {
    this.#decompress = new Decompress((bytes) => this.#output.push(bytes));
    this.#push(frameHeader(windowBytes), false);
  }

  *decompress({ bytes, isLast }: Block): Generator<Uint8Array, void, undefined> {
    this.#push(bytes, isLast);
    for (const piece of this.#output.splice(0)) if (piece.length > 0) yield piece;
  }

  #push(bytes: Uint8Array, isLast: boolean): void {
    try {
      this.#decompress.push(bytes, isLast);
    } catch (cause) {
      throw new Unreadable('its zstd frame is damaged', { cause });
    }
  }
}

/** Of a frame without checksum and content size, and with a window of at least so many bytes. */
function frameHeader(windowBytes: number): Uint8Array {
  const windowLog = Math.max(MIN_WINDOW_LOG, Math.ceil(Math.log2(windowBytes || 1)));
  const header = Buffer.alloc(6);
  header.writeUInt32LE(MAGIC);
  header.writeUInt8((windowLog - MIN_WINDOW_LOG) << 3, 5);
  return header;
}

async function takeAll(reader: ByteReader, count: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(count);
  await fillAll(reader, bytes);
  return bytes;
}

async function fillAll(reader: ByteReader, bytes: Uint8Array): Promise<void> {
  const filled = await reader.readInto(bytes);
  if (filled < bytes.length) throw new Unreadable('it ends in the middle of a zstd frame');
}

function littleEndian(bytes: Uint8Array): number {
  return bytes.reduceRight((value, byte) => value * 256 + byte, 0);
}
