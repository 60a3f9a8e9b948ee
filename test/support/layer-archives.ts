import { tarEnd, tarHeader, tarPadding } from './tar-writer.ts';

export const SCM_SOURCE = {
  url: 'git:git@example.org:acme/app.git',
  revision: '0123456789012345678901234567890123456789',
  author: 'someone',
  status: '',
} as const;

/** Type flags of POSIX and GNU. */
export const TAR_TYPE = {
  file: '0',
  hardLink: '1',
  symlink: '2',
  directory: '5',
  pax: 'x',
  gnuLongName: 'L',
} as const;

export interface ArchiveEntry {
  readonly name: string;
  readonly content?: string | Buffer;
  readonly type?: (typeof TAR_TYPE)[keyof typeof TAR_TYPE];
}

/** A layer's tar archive. */
export function archiveOf(entries: readonly ArchiveEntry[]): Buffer {
  return Buffer.concat([...entries.map(entryOf), tarEnd()]);
}

export function entryOf({ name, content = '', type = TAR_TYPE.file }: ArchiveEntry): Buffer {
  const bytes = Buffer.from(content);
  return Buffer.concat([tarHeader(name, bytes.length, type), bytes, tarPadding(bytes.length)]);
}

/** The file as a build writes it; `changes` replaces or adds fields. */
export function scmFile(changes: object = {}, name = 'scm-source.json'): ArchiveEntry {
  return { name, content: JSON.stringify({ ...SCM_SOURCE, ...changes }) };
}

/** A pax record: its length counts itself. */
export function paxRecord(key: string, value: string): string {
  const rest = ` ${key}=${value}\n`;
  let length = Buffer.byteLength(rest) + 1;
  while (String(length).length + Buffer.byteLength(rest) !== length) length += 1;
  return `${length}${rest}`;
}

const ZSTD_MAGIC = Buffer.from([0x28, 0xb5, 0x2f, 0xfd]);

/** A zstd frame that compresses nothing, with a window of 2^windowLog bytes (RFC 8878). */
export function zstdFrame(blocks: readonly Buffer[], windowLog = 17): Buffer {
  return Buffer.concat([ZSTD_MAGIC, Buffer.from([0, (windowLog - 10) << 3]), ...blocks]);
}

const [RAW, REPEATED] = [0, 1];

export function zstdRawBlock(content: Buffer, isLast: boolean): Buffer {
  return Buffer.concat([blockHeader(content.length, RAW, isLast), content]);
}

/** One byte, so many times. */
export function zstdRepeatedBlock(byte: number, count: number, isLast: boolean): Buffer {
  return Buffer.concat([blockHeader(count, REPEATED, isLast), Buffer.from([byte])]);
}

function blockHeader(sizeBytes: number, type = RAW, isLast = false): Buffer {
  const header = Buffer.alloc(3);
  header.writeUIntLE(sizeBytes * 8 + (type ?? 0) * 2 + Number(isLast), 0, 3);
  return header;
}

/** A frame of a whole content. */
export function zstdOf(content: Buffer): Buffer {
  const STEP = 100_000;
  const blocks: Buffer[] = [];
  for (let at = 0; at < content.length; at += STEP) {
    blocks.push(zstdRawBlock(content.subarray(at, at + STEP), at + STEP >= content.length));
  }
  return zstdFrame(blocks);
}
