import { extract } from 'tar-stream';
import { ByteReader } from '../workers/byte-reader.ts';
import { compressionOf, copies, decompressGzip } from '../workers/decompress.ts';
import { Unreadable } from '../workers/unreadable.ts';
import { decompressZstd } from '../workers/zstd-frames.ts';

/** What is told of a file; nothing else of its header stays in memory. */
export interface ArchiveEntry {
  readonly name: string;
  readonly mode: number;
  readonly sizeBytes: number;
  /** In seconds since 1970; undefined: it is no time. */
  readonly modified: number | undefined;
}

/** A tar archive's header is longer than any other format's first bytes. */
const HEAD_BYTES = 512;
const OTHER_COMPRESSIONS = [
  ['bzip2', Buffer.from('BZh')],
  ['xz', Buffer.from([0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00])],
] as const;

/** Headers of old formats are read too. */
const OPTIONS = { allowUnknownFormat: true, highWaterMark: 128 * 1024 };

/** A layer can't be listed; the message completes "the layer … ". */
export class LayerUnreadable extends Error {
  override readonly name = 'LayerUnreadable';
}

/**
 * The entries of a tar archive: plain, in gzip or in zstd. What the entries hold is read and dropped.
 * @throws LayerUnreadable; what `chunks` throws
 */
export async function* archiveEntries(
  chunks: AsyncIterable<Uint8Array>,
): AsyncGenerator<ArchiveEntry, void, undefined> {
  const reader = new ByteReader(chunks);
  try {
    const head = await reader.take(HEAD_BYTES);
    if (head.length === 0) return;
    yield* entriesOf(decompressed(head, reader.remaining(head)));
  } catch (error) {
    if (!(error instanceof Unreadable)) throw error;
    throw new LayerUnreadable(`can't be read: ${error.message}`, { cause: error });
  } finally {
    await reader.close();
  }
}

function decompressed(
  head: Uint8Array,
  bytes: AsyncIterable<Uint8Array>,
): AsyncIterable<Uint8Array> {
  const other = OTHER_COMPRESSIONS.find(([, magic]) =>
    magic.equals(Buffer.from(head.subarray(0, magic.length))),
  );
  if (other) {
    throw new LayerUnreadable(`is compressed by ${other[0]}, which no registry client unpacks`);
  }
  switch (compressionOf(head)) {
    case 'gzip':
      return decompressGzip(bytes);
    case 'zstd':
      return decompressZstd(bytes);
    case 'none':
      return copies(bytes);
  }
}

async function* entriesOf(
  chunks: AsyncIterable<Uint8Array>,
): AsyncGenerator<ArchiveEntry, void, undefined> {
  const tar = extract(OPTIONS);
  let failure: unknown;
  const feeding = feed(tar, chunks).catch((error: unknown) => {
    failure = error;
    tar.destroy();
  });
  let entries = 0;
  try {
    for await (const entry of tar) {
      entries += 1;
      const { name, mode, size: sizeBytes, mtime } = entry.header;
      const modified = mtime.getTime() / 1000;
      yield { name, mode, sizeBytes, modified: Number.isNaN(modified) ? undefined : modified };
      entry.resume();
    }
  } catch (cause) {
    if (failure !== undefined) throw failure;
    const problem = entries === 0 ? 'is no tar archive' : 'is damaged';
    throw new LayerUnreadable(problem, { cause });
  } finally {
    tar.destroy();
    await feeding;
  }
  if (failure !== undefined) throw failure;
}

type Tar = ReturnType<typeof extract>;

async function feed(tar: Tar, chunks: AsyncIterable<Uint8Array>): Promise<void> {
  let isClosed = false;
  let wake = () => {};
  tar.on('drain', () => wake());
  tar.on('close', () => {
    isClosed = true;
    wake();
  });
  // Met by who iterates.
  tar.on('error', () => undefined);
  for await (const chunk of chunks) {
    const woken = new Promise<void>((resolve) => {
      wake = resolve;
    });
    if (isClosed) return;
    if (!tar.write(chunk)) await woken;
    if (isClosed) return;
  }
  tar.end(undefined);
}
