import { execFileSync } from 'node:child_process';
import { closeSync, openSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { MIB } from './blob.ts';
import { makeDirectory, removeDirectory } from './directories.ts';

const zeros = Buffer.alloc(MIB);

/** Writes out what earlier runs left in memory, so that it isn't written during the next one. */
export function syncDisk(): void {
  execFileSync('sync', { timeout: 120_000 });
}

/**
 * Makes runs alike: syncs, then writes and removes as many bytes as the run will write. A virtual machine gets its
 * memory from its host when it first touches it, so that fresh page cache is several times slower than used one, and a
 * run would be measured by what ran before it.
 */
export function levelDisk(sizeMib: number): void {
  syncDisk();
  const directory = makeDirectory();
  const path = join(directory, 'zeros');
  const file = openSync(path, 'w');
  for (let written = 0; written < sizeMib; written++) writeSync(file, zeros);
  closeSync(file);
  rmSync(path);
  removeDirectory(directory);
}
