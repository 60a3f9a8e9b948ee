import { mkdir, readFile } from 'node:fs/promises';
import { sep } from 'node:path';
import { execute } from './process-runner.ts';
import type { Workspace } from './workspace.ts';

/** What is mounted below a directory, the deepest first. */
export async function mountPointsBelow(directory: string): Promise<string[]> {
  // proc(5): the fifth field of /proc/self/mountinfo is the mount point.
  const lines = (await readFile('/proc/self/mountinfo', 'utf8')).trimEnd().split('\n');
  return lines
    .map((line) => line.split(' ')[4] ?? '')
    .filter((mountPoint) => mountPoint.startsWith(directory + sep))
    .toReversed();
}

/**
 * How clients can keep images here: `overlay` where the kernel allows such mounts on the temporary
 * directory's file system, else (inside many containers) `vfs`, which copies.
 */
export async function findStorageDriver(workspace: Workspace): Promise<'overlay' | 'vfs'> {
  const path = (name: string) => workspace.path('overlay-probe', name);
  for (const name of ['lower', 'upper', 'work', 'merged'])
    await mkdir(path(name), { recursive: true });
  const options = `lowerdir=${path('lower')},upperdir=${path('upper')},workdir=${path('work')}`;
  const args = ['-t', 'overlay', 'overlay', '-o', options, path('merged')];
  if ((await execute('mount', args)).exitCode !== 0) return 'vfs';
  await execute('umount', [path('merged')]);
  return 'overlay';
}
