import { pipeline, Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { Unreadable } from './unreadable.ts';

const GUNZIP_STEP_BYTES = 128 * 1024;

/** By the first bytes of what may be compressed. */
export function compressionOf(head: Uint8Array): 'gzip' | 'zstd' | 'none' {
  const bytes = Buffer.from(head.buffer, head.byteOffset, head.length);
  if (bytes.subarray(0, 2).equals(Buffer.from([0x1f, 0x8b]))) return 'gzip';
  const word = bytes.length < 4 ? 0 : bytes.readUInt32LE();
  // A skippable frame may come first.
  return word === 0xfd2fb528 || word - (word % 16) === 0x184d2a50 ? 'zstd' : 'none';
}

/** @throws Unreadable; what `chunks` throws */
export async function* decompressGzip(
  chunks: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array, void, undefined> {
  const input = Readable.from(copies(chunks), { objectMode: false, highWaterMark: 1 });
  let inputError: Error | undefined;
  input.on('error', (error) => {
    inputError = error;
  });
  const gunzip = createGunzip({ chunkSize: GUNZIP_STEP_BYTES });
  // Its errors are met by who iterates.
  pipeline(input, gunzip, () => undefined);
  try {
    for await (const bytes of gunzip) yield bytes;
  } catch (cause) {
    throw inputError ?? new Unreadable('its gzip is damaged', { cause });
  } finally {
    gunzip.destroy();
  }
}

/** Where a chunk is kept for longer than until the next one is asked for. */
export async function* copies(chunks: AsyncIterable<Uint8Array>) {
  for await (const chunk of chunks) yield Buffer.from(chunk);
}
