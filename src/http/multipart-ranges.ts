import { randomUUID } from 'node:crypto';
import type { ByteRange } from '../oci/byte-range.ts';

/** Several ranges of the same content as one body (RFC 9110, section 14.6). */
export interface MultipartRanges {
  readonly contentType: string;
  readonly lengthBytes: number;
  readonly chunks: AsyncIterable<Uint8Array>;
}

/** @param read gives the bytes of a range; what it gives is passed on as it is */
export function multipartRanges(
  ranges: readonly ByteRange[],
  sizeBytes: number,
  read: (range: ByteRange) => AsyncIterable<Uint8Array>,
): MultipartRanges {
  // Random, so that no content can have it.
  const boundary = randomUUID();
  const heads = ranges.map(({ first, last }) =>
    Buffer.from(
      `\r\n--${boundary}\r\nContent-Type: application/octet-stream\r\nContent-Range: bytes ${first}-${last}/${sizeBytes}\r\n\r\n`,
    ),
  );
  const end = Buffer.from(`\r\n--${boundary}--\r\n`);
  const headBytes = heads.reduce((sum, head) => sum + head.length, 0);
  return {
    contentType: `multipart/byteranges; boundary=${boundary}`,
    lengthBytes: headBytes + sumOf(ranges) + end.length,
    chunks: chunksOf(ranges, heads, end, read),
  };
}

/** Bytes in all ranges together; those that overlap count twice. */
export function sumOf(ranges: readonly ByteRange[]): number {
  return ranges.reduce((sum, { first, last }) => sum + last - first + 1, 0);
}

async function* chunksOf(
  ranges: readonly ByteRange[],
  heads: readonly Uint8Array[],
  end: Uint8Array,
  read: (range: ByteRange) => AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array, void, undefined> {
  for (const [index, range] of ranges.entries()) {
    const head = heads[index];
    if (head) yield head;
    yield* read(range);
  }
  yield end;
}
