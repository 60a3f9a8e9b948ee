import { access, chmod, mkdir } from 'node:fs/promises';
import { codeOf } from './error.ts';

/** Waits for `promise`; `fallback` if it fails with one of the codes. */
export async function unless<T, F>(
  codes: readonly string[],
  fallback: F,
  promise: Promise<T>,
): Promise<T | F> {
  try {
    return await promise;
  } catch (error) {
    if (codes.includes(codeOf(error) ?? '')) return fallback;
    throw error;
  }
}

/** False also for what can't be reached, and for a symbolic link to nothing. */
export function isThere(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

/** A folder that all may enter if it is new; one that is there stays as it is. */
export async function makeOpenFolder(folder: string): Promise<void> {
  const isNew = await mkdir(folder, { recursive: true });
  if (isNew) await chmod(folder, 0o755);
}
