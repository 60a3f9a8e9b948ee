import { mkdtemp, readdir, readlink, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openFileStore } from '../../src/storage/file/file-store.ts';
import { describeBlobStore } from './blob-store.ts';

/** Open files below a directory, as Linux tells them. */
async function countOpenFiles(directory: string): Promise<number> {
  const names = await readdir('/proc/self/fd');
  const paths = names.map((name) => readlink(`/proc/self/fd/${name}`).catch(() => ''));
  return (await Promise.all(paths)).filter((path) => path.startsWith(directory)).length;
}

async function open() {
  const parent = await mkdtemp(join(tmpdir(), 'pierone-blobs-'));
  const directory = join(parent, 'not', 'made', 'yet');
  return {
    store: openFileStore(directory),
    reopen: () => openFileStore(directory),
    countOpenHandles: () => countOpenFiles(parent),
    dispose: () => rm(parent, { recursive: true }),
  };
}

describeBlobStore('directory', open);
