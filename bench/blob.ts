import { createHash, randomBytes } from 'node:crypto';

export const MIB = 1024 * 1024;
const CHUNK_BYTES = 32 * 1024;

/** A block of MIB bytes, as it is and in HTTP's chunked framing. */
interface Block {
  readonly plain: Buffer;
  readonly chunked: Buffer;
}

/** A made-up layer: one block of its own, then the same block again and again, so that sending it costs nothing. */
export interface Blob {
  readonly sizeBytes: number;
  /** sha256:HEX */
  readonly digest: string;
  readonly first: Block;
}

const common = makeBlock();
const LAST_CHUNK = Buffer.from('0\r\n\r\n');

/** Makes a blob unlike any other, and digests it, which takes 0.6 s per GiB: call it outside of what is measured. */
export function makeBlob(sizeMib: number): Blob {
  const first = makeBlock();
  const hash = createHash('sha256').update(first.plain);
  for (let block = 1; block < sizeMib; block++) hash.update(common.plain);
  return { sizeBytes: sizeMib * MIB, digest: `sha256:${hash.digest('hex')}`, first };
}

/** The blob's bytes from `startMib` up to `endMib`, as a body with a Content-Length. */
export function* plainBody(blob: Blob, startMib: number, endMib: number): Generator<Buffer> {
  for (let block = startMib; block < endMib; block++)
    yield (block === 0 ? blob.first : common).plain;
}

/** Compares what is received, slice by slice, with the blob: far cheaper than a digest. @returns a sink that throws */
export function comparer(blob: Blob): (bytes: Buffer) => void {
  let offset = 0;
  return (bytes) => {
    for (let start = 0; start < bytes.length; ) {
      const block = (offset < MIB ? blob.first : common).plain;
      const place = offset % MIB;
      const length = Math.min(bytes.length - start, MIB - place);
      if (bytes.compare(block, place, place + length, start, start + length) !== 0) {
        throw new Error(`what was pulled differs after byte ${offset}`);
      }
      start += length;
      offset += length;
    }
  };
}

/** The whole blob as a body with Transfer-Encoding: chunked. */
export function* chunkedBody(blob: Blob): Generator<Buffer> {
  for (let block = 0; block < blob.sizeBytes / MIB; block++) {
    yield (block === 0 ? blob.first : common).chunked;
  }
  yield LAST_CHUNK;
}

function makeBlock(): Block {
  const plain = randomBytes(MIB);
  return { plain, chunked: Buffer.concat([...frame(plain)]) };
}

/** Frames in chunks of 32 KiB, the size that clients in Go send. */
function* frame(plain: Buffer): Generator<Buffer> {
  for (let start = 0; start < plain.length; start += CHUNK_BYTES) {
    const chunk = plain.subarray(start, start + CHUNK_BYTES);
    yield Buffer.from(`${chunk.length.toString(16)}\r\n`);
    yield chunk;
    yield Buffer.from('\r\n');
  }
}
