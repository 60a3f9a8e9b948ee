import { type ExtractEvents, extract, type Header } from 'tar-stream';
import { MAX_SCM_SOURCE_BYTES, readScmFile, type ScmFinding } from '../oci/scm-source.ts';
import type { ScmScanResult } from './scm-scans.ts';
import { Unreadable } from './unreadable.ts';

const NAMES: ReadonlySet<string> = new Set(['scm-source.json', './scm-source.json']);
/** How POSIX and GNU call a regular file; the second is an old way. */
const FILE_TYPES: ReadonlySet<string> = new Set(['file', 'contiguous-file']);

type EntryStream = ExtractEvents['entry'][1];

/** Headers of old formats are read too. */
const OPTIONS = { allowUnknownFormat: true, highWaterMark: 128 * 1024 };

/**
 * Looks for scm-source.json at the root of a tar archive; the first one ends the search. What doesn't begin like an
 * archive has none.
 * @param chunks stay as they are: the archive's reader keeps pieces of them until later
 * @throws Unreadable when it is damaged, or has more than `maxEntries` before the file
 */
export async function searchTar(
  chunks: AsyncIterable<Uint8Array>,
  maxEntries: number,
): Promise<ScmScanResult> {
  const search = new TarSearch(maxEntries);
  try {
    for await (const chunk of chunks) {
      await search.write(chunk);
      if (search.result) return search.result;
    }
    return await search.end();
  } finally {
    search.close();
  }
}

class TarSearch {
  readonly #tar = extract(OPTIONS);
  readonly #maxEntries: number;
  #entries = 0;
  #error: Error | undefined;
  #isClosed = false;
  #wake = () => {};
  result: ScmScanResult | undefined;

  constructor(maxEntries: number) {
    this.#maxEntries = maxEntries;
    const wake = () => this.#wake();
    this.#tar.on('entry', (header, stream, next) => this.#onEntry(header, stream, next));
    this.#tar.on('drain', wake);
    this.#tar.on('finish', wake);
    this.#tar.on('error', (error: Error) => {
      this.#error ??= error;
      wake();
    });
    this.#tar.on('close', () => {
      this.#isClosed = true;
      wake();
    });
  }

  /** Resolves when the bytes have been looked through. */
  async write(bytes: Uint8Array): Promise<void> {
    const woken = this.#untilWoken();
    if (!this.#tar.write(bytes) && !this.#isClosed) await woken;
    this.#check();
  }

  async end(): Promise<ScmScanResult> {
    const woken = this.#untilWoken();
    this.#tar.end(undefined);
    if (!this.#isClosed) await woken;
    this.#check();
    return this.result ?? { kind: 'none' };
  }

  close(): void {
    this.#tar.destroy();
  }

  #untilWoken(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }

  #check(): void {
    if (this.result || !this.#error) return;
    if (this.#error instanceof Unreadable) throw this.#error;
    if (this.#entries === 0) this.result = { kind: 'none' };
    else throw new Unreadable('its archive is damaged', { cause: this.#error });
  }

  #onEntry(header: Header, stream: EntryStream, next: () => void): void {
    this.#entries += 1;
    // It fails with the archive, whose error is met.
    stream.on('error', () => undefined);
    if (this.#entries > this.#maxEntries) {
      this.#fail(new Unreadable(`its archive has more than ${this.#maxEntries} entries`));
    } else if (NAMES.has(header.name)) {
      this.#readEntry(header, stream);
    } else {
      stream.on('end', () => next());
      stream.resume();
    }
  }

  #fail(error: Error): void {
    this.#error = error;
    this.#tar.destroy();
  }

  #readEntry({ type, size }: Header, stream: EntryStream): void {
    if (!FILE_TYPES.has(type)) {
      this.#finish({ kind: 'invalid', reason: `it is a ${type}, not a file` });
    } else if (size > MAX_SCM_SOURCE_BYTES) {
      const reason = `it is larger than ${MAX_SCM_SOURCE_BYTES / 1024} KiB`;
      this.#finish({ kind: 'invalid', reason });
    } else {
      const pieces: Uint8Array[] = [];
      stream.on('data', (piece) => {
        if (piece instanceof Uint8Array) pieces.push(piece);
      });
      stream.on('end', () => this.#finish(readScmFile(Buffer.concat(pieces))));
    }
  }

  #finish(finding: ScmFinding): void {
    this.result = { kind: 'found', origin: 'file', finding };
    this.#tar.destroy();
  }
}
