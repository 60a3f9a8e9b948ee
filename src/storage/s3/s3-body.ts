import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import * as zlib from 'node:zlib';
import type { S3Location } from './s3-location.ts';

/** The bytes of one request, in pieces as they came: they are never copied together. */
export interface Pieces {
  readonly pieces: readonly Uint8Array[];
  readonly sizeBytes: number;
}

/** A body that reads pieces once. */
export class PieceStream extends Readable {
  readonly #pieces: readonly Uint8Array[];
  #next = 0;

  constructor(pieces: readonly Uint8Array[]) {
    super();
    this.#pieces = pieces;
  }

  override _read(): void {
    const piece = this.#pieces[this.#next];
    this.#next += 1;
    this.push(piece ?? null);
  }

  /** In hexadecimal digits, of all of its bytes. */
  sha256(): string {
    const hash = createHash('sha256');
    for (const piece of this.#pieces) hash.update(piece);
    return hash.digest('hex');
  }
}

/** What PutObject and UploadPart take of a body; to be made anew for each try. */
export function bodyInput({ pieces, sizeBytes }: Pieces, { checksum }: S3Location) {
  return {
    Body: new PieceStream(pieces),
    ContentLength: sizeBytes,
    ...(checksum === 'crc32' ? { ChecksumCRC32: crc32Of(pieces) } : {}),
  };
}

function crc32Of(pieces: readonly Uint8Array[]): string {
  let value = 0;
  for (const piece of pieces) value = zlib.crc32(piece, value);
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes.toString('base64');
}
