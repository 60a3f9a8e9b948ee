import { type Digest, digestAlgorithm, digestBytes } from '../oci/digest.ts';

/** Configs of images and what else is small: to open an object costs more than all the rest of the answer. */
const MAX_BYTES = 32 * 1024;

/** A blob as it was read from the store. */
export interface SmallBlob {
  readonly bytes: Uint8Array;
  /** They have the blob's digest. */
  readonly isIntact: boolean;
}

export function isSmall(sizeBytes: number): boolean {
  return sizeBytes <= MAX_BYTES;
}

/** @param chunks all bytes of the blob, each chunk valid until the next is asked for */
export async function readSmall(
  digest: Digest,
  chunks: AsyncIterable<Uint8Array>,
): Promise<SmallBlob> {
  const copies: Buffer[] = [];
  for await (const chunk of chunks) copies.push(Buffer.from(chunk));
  const bytes = Buffer.concat(copies);
  return { bytes, isIntact: digestBytes(digestAlgorithm(digest), bytes) === digest };
}
