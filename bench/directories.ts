import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const directories = new Set<string>();

/** On the disk of TMPDIR. PostgreSQL runs as a user of its own and must be able to enter it. */
export function makeDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), 'pierone-bench-'));
  chmodSync(directory, 0o755);
  directories.add(directory);
  return directory;
}

export function removeDirectory(directory: string): void {
  rmSync(directory, { recursive: true, force: true });
  directories.delete(directory);
}

/** For the end of an interrupted benchmark. */
export function removeDirectories(): void {
  directories.forEach(removeDirectory);
}
