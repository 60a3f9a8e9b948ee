import { randomBytes } from 'node:crypto';
import {
  link,
  mkdir,
  open,
  readFile,
  readlink,
  realpath,
  rename,
  stat,
  unlink,
  writeFile,
} from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { CliError, EXIT } from './errors.ts';

/*
 * Files that hold secrets, and may be changed by several processes at the same time: written aside and put in place, so that
 * nobody ever reads half of one.
 */

const LOCK_INTERVAL_MS = 20;
/** Whoever has the lock so long has died with it: no change needs longer, those that ask a server included. */
const LOCK_EXPIRY_MS = 30_000;
const OWNER_ONLY = 0o600;
const DIRECTORY_OWNER_ONLY = 0o700;

/** @returns undefined when there is no such file */
export async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw explain(error, path, 'read');
  }
}

/**
 * Replaces a file's text, alone among the processes that do so. Links are followed, mode and owner are kept; a new file is its
 * owner's only, as are new directories above it.
 * @param change undefined leaves the file as it is
 */
export async function changeFile(
  path: string,
  change: (text: string | undefined) => string | undefined | Promise<string | undefined>,
): Promise<void> {
  try {
    const target = await followLinks(path);
    await mkdir(dirname(target), { recursive: true, mode: DIRECTORY_OWNER_ONLY });
    await withLock(`${target}.pierone-lock`, async () => {
      const text = await readIfThere(target);
      const changed = await change(text);
      if (changed !== undefined && changed !== text) await replace(target, changed);
    });
  } catch (error) {
    throw explain(error, path, 'written');
  }
}

/** Also of a link whose target isn't there yet. */
async function followLinks(path: string): Promise<string> {
  try {
    return await realpath(path);
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') throw error;
  }
  const target = await readlink(path).catch(() => undefined);
  return target === undefined ? resolve(path) : followLinks(resolve(dirname(path), target));
}

async function replace(target: string, text: string): Promise<void> {
  const before = await stat(target).catch(() => undefined);
  const aside = `${target}.${randomBytes(6).toString('hex')}.tmp`;
  const file = await open(aside, 'wx', OWNER_ONLY);
  try {
    await file.writeFile(text);
    if (before) {
      // Only root may give a file away: then the owner stays, by which root would else lock others out.
      await file.chown(before.uid, before.gid).catch(() => undefined);
      await file.chmod(before.mode & 0o7777);
    }
    await file.sync();
    await file.close();
    await rename(aside, target).catch(async (error: unknown) => {
      // A file that is mounted by itself, as into a container, can't be replaced.
      if (codeOf(error) !== 'EBUSY') throw error;
      await writeFile(target, text);
      await unlink(aside);
    });
  } catch (error) {
    await file.close().catch(() => undefined);
    await unlink(aside).catch(() => undefined);
    throw error;
  }
}

async function withLock(lock: string, action: () => Promise<void>): Promise<void> {
  await takeLock(lock);
  try {
    await action();
  } finally {
    await unlink(lock).catch(() => undefined);
  }
}

async function takeLock(lock: string): Promise<void> {
  for (;;) {
    try {
      const file = await open(lock, 'wx', OWNER_ONLY);
      await file.close();
      return;
    } catch (error) {
      if (codeOf(error) !== 'EEXIST') throw error;
    }
    await removeIfExpired(lock);
    await delay(LOCK_INTERVAL_MS);
  }
}

/** Moved away before it is removed: of two processes that find it, one has it then, and a newer lock is put back. */
async function removeIfExpired(lock: string): Promise<void> {
  const found = await stat(lock).catch(() => undefined);
  if (!found || Date.now() - found.mtimeMs < LOCK_EXPIRY_MS) return;
  const away = `${lock}.${randomBytes(6).toString('hex')}`;
  const isMoved = await rename(lock, away).then(
    () => true,
    () => false,
  );
  if (!isMoved) return;
  const moved = await stat(away);
  if (moved.ino !== found.ino) await link(away, lock).catch(() => undefined);
  await unlink(away);
}

/** What the file system says, in a sentence; all else as it is. */
function explain(error: unknown, path: string, what: 'read' | 'written'): unknown {
  if (!(error instanceof Error) || !('syscall' in error)) return error;
  return new CliError(`${path} can't be ${what}: ${error.message}.`, EXIT.failed, { cause: error });
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined;
}
