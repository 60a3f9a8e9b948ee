import { existsSync } from 'node:fs';
import { mkdir, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { execute, run } from './process-runner.ts';

/** Names a folder of this run of the tests, in which the first PostgreSQL leaves a copy of its new cluster for all others. */
export const TEMPLATES = 'TEST_POSTGRES_TEMPLATES';

const NAME = 'cluster';

/** Takes a fifth of the time of making one. Without a template, nothing: PostgreSQL makes its cluster itself. */
export async function copyTemplate(directory: string): Promise<void> {
  const folder = process.env[TEMPLATES];
  if (folder === undefined || !existsSync(join(folder, NAME))) return;
  await copyFolder(join(folder, NAME), directory);
}

/** Called with a new cluster: that of the first caller of a run is the template. `whileStopped` lets nobody use it meanwhile. */
export async function leaveTemplate(
  directory: string,
  whileStopped: (copy: () => Promise<void>) => Promise<void>,
): Promise<void> {
  const folder = process.env[TEMPLATES];
  if (folder === undefined || !(await isFirst(folder))) return;
  const draft = join(folder, 'draft');
  await whileStopped(() => copyFolder(directory, draft));
  await rename(draft, join(folder, NAME));
}

/** Of all processes that ask, one is. */
async function isFirst(folder: string): Promise<boolean> {
  return mkdir(join(folder, 'taken')).then(
    () => true,
    () => false,
  );
}

/** With its owner, which isn't the one of the tests when they run as root. */
async function copyFolder(from: string, to: string): Promise<void> {
  const isGnu = (await execute('cp', ['--version'])).exitCode === 0;
  await run('cp', ['-a', ...(isGnu ? ['--reflink=auto'] : []), from, to]);
}
