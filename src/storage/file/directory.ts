import { mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import { closeFile, openFile, syncFile } from './descriptor.ts';

/** Makes a directory and the missing ones above it, each durable before it is used. */
export async function makeDirectory(path: string): Promise<void> {
  const first = await mkdir(path, { recursive: true });
  if (first === undefined) return;
  for (let made = path; made.length >= first.length; made = dirname(made)) {
    await syncDirectory(dirname(made));
  }
}

/**
 * Makes the names in a directory durable. fsync, not fdatasync: a new name need not change the directory's size,
 * and only what is needed to read the data is promised by fdatasync.
 */
export async function syncDirectory(path: string): Promise<void> {
  const directory = await openFile(path, 'r');
  try {
    await syncFile(directory);
  } finally {
    closeFile(directory);
  }
}
