import { execFile } from 'node:child_process';
import { open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { MIB } from './blob.ts';
import { makeDirectory, removeDirectory } from './directories.ts';

const zeros = Buffer.alloc(MIB);
const SYNC_LIMIT_MS = 120_000;

/* Nothing here blocks the event loop: tsx kills a process at Ctrl-C that doesn't answer at once, and its servers stay. */

/** Writes out what earlier runs left in memory, so that it isn't written during the next one. */
export async function syncDisk(): Promise<void> {
  await promisify(execFile)('sync', { timeout: SYNC_LIMIT_MS });
}

/**
 * Makes runs alike: syncs, then writes and removes as many bytes as the run will write. A virtual machine gets its
 * memory from its host when it first touches it, so that fresh page cache is several times slower than used one, and a
 * run would be measured by what ran before it.
 */
export async function levelDisk(sizeMib: number): Promise<void> {
  await syncDisk();
  const directory = makeDirectory();
  const path = join(directory, 'zeros');
  const file = await open(path, 'w');
  for (let written = 0; written < sizeMib; written++) await file.write(zeros);
  await file.close();
  await rm(path);
  removeDirectory(directory);
}
