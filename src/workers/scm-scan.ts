import { readScmKeys } from '../oci/scm-source.ts';
import { ByteReader } from './byte-reader.ts';
import { compressionOf, copies, decompressGzip } from './decompress.ts';
import type { ScmScanResult } from './scm-scans.ts';
import { searchTar } from './tar-search.ts';
import { Unreadable } from './unreadable.ts';
import { decompressZstd } from './zstd-frames.ts';

const MIB = 1024 * 1024;

export interface ScanLimits {
  /** Of an archive, decompressed. */
  readonly maxBytes: number;
  /** Beyond `freeBytes`, an archive may have so many times the bytes of the blob. */
  readonly maxRatio: number;
  readonly freeBytes: number;
  readonly maxEntries: number;
  /** Of an image's config. */
  readonly maxConfigBytes: number;
}

/** What layers have is far below: a bomb ends here. */
export const SCAN_LIMITS: ScanLimits = {
  maxBytes: 64 * 1024 * MIB,
  maxRatio: 200,
  freeBytes: 64 * MIB,
  maxEntries: 2_000_000,
  maxConfigBytes: 4 * MIB,
};

export interface BlobToScan {
  readonly chunks: AsyncIterable<Uint8Array>;
  readonly sizeBytes: number;
  readonly limits: ScanLimits;
  /** Awaited again and again, so that the scan can be slowed down, or ended by what it throws. */
  readonly pause: () => Promise<void>;
}

const HEAD_BYTES = 512;

/**
 * Looks for a source in a blob: in scm-source.json at the root of a tar archive (plain, in gzip or in zstd), or in the
 * labels of an image's config. Memory doesn't depend on the blob's size.
 * @throws what `chunks` and `pause` throw, but for Unreadable
 */
export async function scanBlob(blob: BlobToScan): Promise<ScmScanResult> {
  const reader = new ByteReader(blob.chunks);
  try {
    const head = await reader.take(HEAD_BYTES);
    return await scanFormat(blob, head, reader.remaining(head));
  } catch (error) {
    if (!(error instanceof Unreadable)) throw error;
    return { kind: 'unreadable', reason: error.message };
  } finally {
    await reader.close();
  }
}

function scanFormat(
  blob: BlobToScan,
  head: Uint8Array,
  bytes: AsyncIterable<Uint8Array>,
): Promise<ScmScanResult> {
  const { maxEntries } = blob.limits;
  switch (formatOf(head)) {
    case 'gzip':
      return searchTar(bound(blob, decompressGzip(bytes)), maxEntries);
    case 'zstd':
      return searchTar(bound(blob, decompressZstd(bytes)), maxEntries);
    case 'tar':
      return searchTar(bound(blob, copies(bytes)), maxEntries);
    case 'json':
      return searchConfig(blob, bytes);
  }
}

function formatOf(head: Uint8Array): 'gzip' | 'zstd' | 'json' | 'tar' {
  const compression = compressionOf(head);
  if (compression !== 'none') return compression;
  const text = Buffer.from(head).toString('latin1');
  const isTar = text.slice(257, 262) === 'ustar';
  return !isTar && /^\s*\{/.test(text) ? 'json' : 'tar';
}

async function* bound(
  { sizeBytes, limits, pause }: BlobToScan,
  chunks: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array, void, undefined> {
  const { maxBytes, maxRatio, freeBytes } = limits;
  const limit = Math.min(maxBytes, freeBytes + maxRatio * sizeBytes);
  let left = limit;
  for await (const chunk of chunks) {
    left -= chunk.length;
    if (left < 0) {
      throw new Unreadable(`it has more than ${Math.floor(limit / MIB)} MiB when decompressed`);
    }
    yield chunk;
    await pause();
  }
}

async function searchConfig(
  { sizeBytes, limits }: BlobToScan,
  chunks: AsyncIterable<Uint8Array>,
): Promise<ScmScanResult> {
  if (sizeBytes > limits.maxConfigBytes) return { kind: 'none' };
  const pieces: Buffer[] = [];
  for await (const chunk of chunks) pieces.push(Buffer.from(chunk));
  const finding = readScmKeys(labelsOf(Buffer.concat(pieces).toString()));
  return finding ? { kind: 'found', origin: 'label', finding } : { kind: 'none' };
}

/** OCI image-spec, config.md: `config.Labels`. */
function labelsOf(text: string): Readonly<Record<string, unknown>> {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    // Another kind of file that begins with a brace.
    return {};
  }
  return fieldOf(fieldOf(json, 'config'), 'Labels');
}

function fieldOf(value: unknown, name: string): Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null) return {};
  const field: unknown = Object.entries(value).find(([key]) => key === name)?.[1];
  return typeof field === 'object' && field !== null ? { ...field } : {};
}
