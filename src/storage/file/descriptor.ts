import { closeSync, fdatasync, fstatSync, fsync, open, write } from 'node:fs';
import { promisify } from 'node:util';

/*
 * Files by their descriptors: of what storing a small body costs, FileHandles would be a tenth. Whoever opens one closes it, once;
 * of a worker that dies Node.js closes them.
 */

export const openFile = promisify(open);
export const writeAt = promisify(write);
export const syncFile = promisify(fsync);
export const syncFileData = promisify(fdatasync);
/** At once, since it has nothing to wait for once the bytes are on the disk. */
export const closeFile = closeSync;

/** False for a file that was unlinked while it is open. */
export function isNamed(file: number): boolean {
  return fstatSync(file).nlink > 0;
}
