import { randomBytes } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { SCAN_LIMITS, type ScanLimits, scanBlob } from '../../src/workers/scm-scan.ts';
import {
  archiveOf,
  entryOf,
  paxRecord,
  SCM_SOURCE,
  scmFile,
  TAR_TYPE,
  zstdFrame,
  zstdOf,
  zstdRawBlock,
  zstdRepeatedBlock,
} from '../support/layer-archives.ts';
import { tarHeader } from '../support/tar-writer.ts';
import { ZSTD_LAYER } from '../support/zstd-layer.ts';

const MIB = 1024 * 1024;
const FOUND = { kind: 'found', origin: 'file', finding: { kind: 'valid', source: SCM_SOURCE } };
const NONE = { kind: 'none' };

/** Like the store's readers, it uses the memory of a chunk again for the next one. */
async function* chunksOf(content: Buffer, stepBytes: number) {
  const memory = Buffer.alloc(stepBytes);
  for (let at = 0; at < content.length; at += stepBytes) {
    const length = content.copy(memory, 0, at, at + stepBytes);
    yield memory.subarray(0, length);
    memory.fill(0xaa);
  }
}

function scan(content: Buffer, limits: Partial<ScanLimits> = {}, stepBytes = 64 * 1024) {
  return scanBlob({
    chunks: chunksOf(content, stepBytes),
    sizeBytes: content.length,
    limits: { ...SCAN_LIMITS, ...limits },
    pause: async () => undefined,
  });
}

function unreadable(reason: RegExp) {
  return { kind: 'unreadable', reason: expect.stringMatching(reason) };
}

function invalid(reason: RegExp) {
  const finding = { kind: 'invalid', reason: expect.stringMatching(reason) };
  return { kind: 'found', origin: 'file', finding };
}

const other = { name: 'app/main', content: Buffer.alloc(5000, 'x') };
const plain = archiveOf([other, scmFile(), other]);

const FORMATS: readonly (readonly [string, (archive: Buffer) => Buffer])[] = [
  ['plain', (archive) => archive],
  ['gzip', (archive) => gzipSync(archive)],
  [
    'gzip of two members',
    (archive) => {
      const half = archive.length >> 1;
      return Buffer.concat([gzipSync(archive.subarray(0, half)), gzipSync(archive.subarray(half))]);
    },
  ],
  ['zstd', zstdOf],
  [
    'zstd of two frames',
    (archive) => {
      const half = archive.length >> 1;
      return Buffer.concat([zstdOf(archive.subarray(0, half)), zstdOf(archive.subarray(half))]);
    },
  ],
  [
    'zstd with a frame to skip',
    (archive) => {
      const skipped = Buffer.from([0x5f, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3]);
      return Buffer.concat([skipped, zstdOf(archive), skipped]);
    },
  ],
];

describe.each(FORMATS)('a layer in %s', (_, compress) => {
  test.each([1, 7, 511, 64 * 1024])('has its source found, in chunks of %i bytes', async (step) => {
    expect(await scan(compress(plain), {}, step)).toEqual(FOUND);
  });

  test('has none without the file', async () => {
    expect(await scan(compress(archiveOf([other])))).toEqual(NONE);
  });

  test('that ends too early can not be read', async () => {
    const content = compress(archiveOf([other, other, scmFile()]));
    expect(await scan(content.subarray(0, content.length >> 1))).toEqual(
      unreadable(/damaged|ends/),
    );
  });

  test('is not read behind the file', async () => {
    let readBytes = 0;
    async function* counted(content: Buffer) {
      for await (const chunk of chunksOf(content, 4096)) {
        readBytes += chunk.length;
        yield chunk;
      }
    }
    const content = compress(archiveOf([scmFile(), { name: 'rest', content: randomBytes(MIB) }]));
    const blob = { sizeBytes: content.length, limits: SCAN_LIMITS, pause: async () => undefined };
    expect(await scanBlob({ ...blob, chunks: counted(content) })).toEqual(FOUND);
    expect(readBytes).toBeLessThan(content.length);
  });
});

test('a layer of the zstd command', async () => {
  expect(await scan(ZSTD_LAYER)).toEqual(FOUND);
  expect(await scan(ZSTD_LAYER, {}, 100)).toEqual(FOUND);
});

describe('the file', () => {
  test.each(['scm-source.json', './scm-source.json'])('is %s', async (name) => {
    expect(await scan(archiveOf([other, scmFile({}, name)]))).toEqual(FOUND);
  });

  test.each([
    'app/scm-source.json',
    './app/scm-source.json',
    'scm-source.json/',
    'scm-sourcexjson',
    '../scm-source.json',
  ])('is not %s', async (name) => {
    expect(await scan(archiveOf([scmFile({}, name)]))).toEqual(NONE);
  });

  test('is the first one', async () => {
    const archive = archiveOf([scmFile(), scmFile({ author: 'another' }, './scm-source.json')]);
    expect(await scan(archive)).toEqual(FOUND);
  });

  test('may have its name in a pax header', async () => {
    const header = {
      name: 'PaxHeaders/x',
      type: TAR_TYPE.pax,
      content: paxRecord('path', 'scm-source.json'),
    };
    expect(await scan(archiveOf([other, header, scmFile({}, 'short')]))).toEqual(FOUND);
  });

  test('may have its name in a long name of GNU', async () => {
    const header = {
      name: '././@LongLink',
      type: TAR_TYPE.gnuLongName,
      content: './scm-source.json\0',
    };
    expect(await scan(archiveOf([header, scmFile({}, 'short')]))).toEqual(FOUND);
  });

  test('is found behind long names', async () => {
    const name = 'directory/'.repeat(400);
    const pax = { name: 'PaxHeaders/x', type: TAR_TYPE.pax, content: paxRecord('path', name) };
    const gnu = { name: '././@LongLink', type: TAR_TYPE.gnuLongName, content: `${name}\0` };
    expect(await scan(archiveOf([pax, other, gnu, other, scmFile()]), {}, 100)).toEqual(FOUND);
  });

  test('is invalid as a link', async () => {
    const { symlink, hardLink } = TAR_TYPE;
    const entry = { name: 'scm-source.json' };
    expect(await scan(archiveOf([{ ...entry, type: symlink }]))).toEqual(invalid(/symlink/));
    expect(await scan(archiveOf([{ ...entry, type: hardLink }]))).toEqual(invalid(/link/));
  });

  test('is invalid when it is empty, too large, or says something else', async () => {
    const name = 'scm-source.json';
    expect(await scan(archiveOf([{ name }]))).toEqual(invalid(/not JSON/));
    const large = { name, content: Buffer.alloc(65 * 1024, ' ') };
    expect(await scan(archiveOf([large]))).toEqual(invalid(/larger than 64 KiB/));
    expect(await scan(archiveOf([scmFile({ more: 1 })]))).toEqual(invalid(/field more/));
  });
});

describe('what is no archive has none:', () => {
  test.each([
    ['nothing', Buffer.alloc(0)],
    ['a byte', Buffer.from('x')],
    ['text', Buffer.from('no archive at all\n'.repeat(100))],
    ['zeros, as of an empty layer', Buffer.alloc(1024)],
    ['a gzip of text', gzipSync(Buffer.from('no archive at all\n'.repeat(100)))],
    ['JSON of another kind', Buffer.from('{"_type":"https://in-toto.io/Statement/v0.1"}')],
    ['what only begins like JSON', Buffer.from('{ not at all')],
    ['a config without labels', Buffer.from('{"config":{"Labels":null}}')],
    ['a list', Buffer.from('[{"config":{}}]')],
  ])('%s', async (_, content) => {
    expect(await scan(content)).toEqual(NONE);
  });
});

describe('a config', () => {
  const Labels = {
    'org.opencontainers.image.source': SCM_SOURCE.url,
    'org.opencontainers.image.revision': SCM_SOURCE.revision,
  };
  const config = Buffer.from(` {"architecture":"amd64","config":${JSON.stringify({ Labels })}}`);

  test('says it in its labels', async () => {
    const source = { ...SCM_SOURCE, author: '', status: '' };
    const found = { kind: 'found', origin: 'label', finding: { kind: 'valid', source } };
    expect(await scan(config)).toEqual(found);
    expect(await scan(config, {}, 10)).toEqual(found);
  });

  test('that is too large is not read', async () => {
    expect(await scan(config, { maxConfigBytes: config.length - 1 })).toEqual(NONE);
  });
});

describe('a bomb ends at the bound:', () => {
  const limits = { freeBytes: 2 * MIB, maxRatio: 1 };
  const header = tarHeader('zeros', 4096 * MIB);
  const reason = unreadable(/^it has more than \d+ MiB when decompressed$/);

  test('of gzip', async () => {
    const bomb = gzipSync(Buffer.concat([header, Buffer.alloc(64 * MIB)]));
    expect(await scan(bomb, limits)).toEqual(reason);
  });

  test('of zstd', async () => {
    const step = 128 * 1024;
    const zeros = Array.from({ length: 100_000 }, () => zstdRepeatedBlock(0, step, false));
    const bomb = zstdFrame([zstdRawBlock(header, false), ...zeros]);
    let peakBytes = 0;
    const before = process.memoryUsage().arrayBuffers;
    const pause = async () => {
      peakBytes = Math.max(peakBytes, process.memoryUsage().arrayBuffers - before);
    };
    const blob = { chunks: chunksOf(bomb, MIB), sizeBytes: bomb.length, pause };
    expect(await scanBlob({ ...blob, limits: { ...SCAN_LIMITS, ...limits } })).toEqual(reason);
    expect(peakBytes).toBeLessThan(32 * MIB);
  });

  test('of many entries', async () => {
    const entries = Buffer.concat(
      Array.from({ length: 1001 }, (_, at) => entryOf({ name: `${at}` })),
    );
    expect(await scan(gzipSync(entries), { maxEntries: 1000 })).toEqual(
      unreadable(/^its archive has more than 1000 entries$/),
    );
  });

  test('of the whole', async () => {
    const layer = gzipSync(archiveOf([{ name: 'large', content: Buffer.alloc(MIB) }]));
    expect(await scan(layer, { maxBytes: MIB })).toEqual(reason);
  });
});

describe('zstd frames that ask for much are refused:', () => {
  const end = [zstdRawBlock(Buffer.from('x'), true)];

  test.each([26, 31, 41])('a window of 2^%i bytes', async (windowLog) => {
    expect(await scan(zstdFrame(end, windowLog))).toEqual(
      unreadable(/^its zstd frame needs a window of \d+ MiB, more than 32$/),
    );
  });

  test('a content in one segment of 2^40 bytes', async () => {
    const header = Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0xe0, 0, 0, 0, 0, 0, 1, 0, 0]);
    expect(await scan(Buffer.concat([header, ...end]))).toEqual(unreadable(/needs a window/));
  });

  test('a block that is too large', async () => {
    const block = zstdRepeatedBlock(0, 128 * 1024 + 1, true);
    expect(await scan(zstdFrame([block]))).toEqual(unreadable(/block .* too large/));
  });

  test('a dictionary', async () => {
    const header = Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 1, 0, 7]);
    expect(await scan(Buffer.concat([header, ...end]))).toEqual(unreadable(/dictionary/));
  });

  test('bytes of no meaning', async () => {
    const header = Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0, 0x38]);
    const block = Buffer.from([
      0x25,
      0x01,
      0,
      ...Array.from({ length: 36 }, (_, at) => (at * 89) & 255),
    ]);
    expect(await scan(Buffer.concat([header, block]))).toEqual(unreadable(/damaged/));
  });
});

test('a window of 2^25 bytes is granted, and not taken by a frame that is small', async () => {
  const before = process.memoryUsage().arrayBuffers;
  let peakBytes = 0;
  const frames = Array.from({ length: 200 }, () =>
    zstdFrame([zstdRawBlock(entryOf(other), true)], 25),
  );
  const content = Buffer.concat([
    ...frames,
    zstdFrame([zstdRawBlock(archiveOf([scmFile()]), true)], 25),
  ]);
  const pause = async () => {
    peakBytes = Math.max(peakBytes, process.memoryUsage().arrayBuffers - before);
  };
  const blob = {
    chunks: chunksOf(content, 4096),
    sizeBytes: content.length,
    limits: SCAN_LIMITS,
    pause,
  };
  expect(await scanBlob(blob)).toEqual(FOUND);
  expect(peakBytes).toBeLessThan(64 * MIB);
});

test('what the store and the pause throw is passed on', async () => {
  const error = new Error('away');
  const limits = SCAN_LIMITS;
  for (const content of [plain, gzipSync(plain), zstdOf(plain)]) {
    async function* failing() {
      yield* chunksOf(content.subarray(0, 20), 64);
      throw error;
    }
    const pause = async () => undefined;
    await expect(
      scanBlob({ chunks: failing(), sizeBytes: content.length, limits, pause }),
    ).rejects.toThrow(error);
    const fail = async () => {
      throw error;
    };
    const large = archiveOf([{ name: 'large', content: Buffer.alloc(MIB) }]);
    await expect(
      scanBlob({ chunks: chunksOf(large, 512), sizeBytes: large.length, limits, pause: fail }),
    ).rejects.toThrow(error);
  }
});
