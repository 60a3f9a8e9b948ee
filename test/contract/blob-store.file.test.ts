import { mkdtemp, readdir, readlink, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { StoreUnavailable } from '../../src/storage/blob-store.ts';
import { openFileStore } from '../../src/storage/file/file-store.ts';
import { newSegmentKey } from '../../src/storage/keys.ts';
import { readObject, writeObject } from '../support/objects.ts';
import { describeBlobStore } from './blob-store.ts';

/** Open files below a directory, as Linux tells them. */
async function countOpenFiles(directory: string): Promise<number> {
  const names = await readdir('/proc/self/fd');
  const paths = names.map((name) => readlink(`/proc/self/fd/${name}`).catch(() => ''));
  return (await Promise.all(paths)).filter((path) => path.startsWith(directory)).length;
}

async function listFiles(directory: string): Promise<string[]> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile()).map(({ name }) => name);
}

async function open() {
  const parent = await mkdtemp(join(tmpdir(), 'pierone-blobs-'));
  const directory = join(parent, 'not', 'made', 'yet');
  return {
    store: openFileStore(directory),
    reopen: () => openFileStore(directory),
    countOpenHandles: () => countOpenFiles(parent),
    listEverything: () => listFiles(parent),
    dispose: () => rm(parent, { recursive: true }),
  };
}

describeBlobStore('directory', open);

test('an object that is removed while it is written is not durable, and nobody is told so', async () => {
  const { store, dispose, listEverything } = await open();
  try {
    const key = newSegmentKey();
    const writer = await store.create(key);
    await writer.write(Buffer.from('first'));
    await store.delete([key]);
    await expect(writer.close()).rejects.toThrow(StoreUnavailable);
    await writer.abort();
    expect(await listEverything()).toEqual([]);
  } finally {
    await dispose();
  }
});

test('a key that exists cannot be written again, and its object stays', async () => {
  const { store, dispose } = await open();
  try {
    const key = newSegmentKey();
    await writeObject(store, key, Buffer.from('first'));
    await expect(writeObject(store, key, Buffer.from('other'))).rejects.toThrow(StoreUnavailable);
    expect((await readObject(store, key, 0, 5)).toString()).toBe('first');
  } finally {
    await dispose();
  }
});
