import { closeSync, fdatasync, fsync, open, write } from 'node:fs';
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
