import { closeSync, openSync, writeFileSync } from 'node:fs';
import { syncDisk } from './disk.ts';

/** proc(5): "3" frees page cache, and cached directories and inodes, of whatever is written out and not mapped. */
const DROP_CACHES = '/proc/sys/vm/drop_caches';

/** As root, where /proc/sys isn't mounted read-only, as in most containers. */
export function canDropPageCache(): boolean {
  try {
    closeSync(openSync(DROP_CACHES, 'w'));
    return true;
  } catch {
    return false;
  }
}

/** Of the whole machine. What processes keep in their own memory stays. */
export async function dropPageCache(): Promise<void> {
  await syncDisk();
  writeFileSync(DROP_CACHES, '3');
}
