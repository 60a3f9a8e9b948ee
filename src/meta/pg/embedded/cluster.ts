import { randomUUID } from 'node:crypto';
import { chown, mkdir, readdir, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { Log } from '../../../log.ts';
import { type Account, run } from './account.ts';
import { codeOf, EmbeddedPostgresError, OTHERWISE } from './error.ts';
import { isThere, unless } from './files.ts';

/** initdb takes about a second; a draft that nothing was added to for so long is a killed one's. */
const DRAFT_LIFETIME_MS = 600_000;
/** Below are the databases that initdb makes: template1, template0, postgres (src/include/access/transam.h). */
const FIRST_USER_OID = 16384;

export interface ClusterPlan {
  readonly cluster: string;
  readonly account: Account | undefined;
  /** Folder that holds bin/initdb. */
  readonly binaries: string;
}

/** Makes the cluster unless it is there. Several may do it at once: one cluster becomes it, the others are dropped. */
export async function ensureCluster(plan: ClusterPlan, log: Log): Promise<void> {
  if (await isCluster(plan.cluster)) return;
  await removeOldDrafts(plan.cluster);
  const draft = `${plan.cluster}.new-${randomUUID()}`;
  try {
    await mkdir(draft, { mode: 0o700 });
    if (plan.account) await chown(draft, plan.account.uid, plan.account.gid);
    await initialize(draft, plan);
    await putInPlace(draft, plan.cluster, log);
  } finally {
    await rm(draft, { recursive: true, force: true });
  }
}

/**
 * False also for what an initdb left that was killed. Whatever holds a user's database counts as a cluster, however
 * damaged: PostgreSQL shall say what is wrong with it.
 */
export async function isCluster(directory: string): Promise<boolean> {
  const databases = await unless(['ENOENT', 'ENOTDIR'], [], readdir(join(directory, 'base')));
  if (databases.some((name) => Number(name) >= FIRST_USER_OID)) return true;
  const proofs = ['PG_VERSION', 'global/pg_control', 'base/1/PG_VERSION', 'base/5/PG_VERSION'];
  const found = await Promise.all(proofs.map((name) => isThere(join(directory, name))));
  return found.every(Boolean);
}

async function initialize(draft: string, plan: ClusterPlan): Promise<void> {
  const { exitCode, output } = await run(
    join(plan.binaries, 'bin', 'initdb'),
    [
      `--pgdata=${draft}`,
      '--username=postgres',
      '--encoding=UTF8',
      '--locale=C',
      // Safe only because the server listens on nothing but a socket in a folder that is closed to others.
      '--auth=trust',
      '--no-instructions',
    ],
    plan.account,
  );
  if (exitCode === 0) return;
  throw new EmbeddedPostgresError(
    `The embedded database in ${plan.cluster} could not be made; initdb said:\n${output.trim()}\nCorrect that, or ${OTHERWISE}`,
  );
}

async function putInPlace(draft: string, cluster: string, log: Log): Promise<void> {
  if (await renameUnlessOccupied(draft, cluster)) return;
  if (await isCluster(cluster)) return;
  const aside = `${cluster}.incomplete-${randomUUID()}`;
  await rename(cluster, aside);
  // Another process may have put its cluster there since we looked.
  if (await isCluster(aside)) return rename(aside, cluster);
  log.warn(
    { directory: cluster, movedTo: aside },
    'embedded PostgreSQL: a half-made database was replaced',
  );
  await renameUnlessOccupied(draft, cluster);
}

/** rename() replaces an empty directory. */
async function renameUnlessOccupied(from: string, to: string): Promise<boolean> {
  try {
    await rename(from, to);
    return true;
  } catch (error) {
    if (!['EEXIST', 'ENOTEMPTY', 'ENOTDIR'].includes(codeOf(error) ?? '')) throw error;
    return false;
  }
}

async function removeOldDrafts(cluster: string): Promise<void> {
  const prefix = `${basename(cluster)}.new-`;
  for (const name of await readdir(dirname(cluster))) {
    if (!name.startsWith(prefix)) continue;
    const draft = join(dirname(cluster), name);
    const found = await unless(['ENOENT'], undefined, stat(draft));
    if (found && Date.now() - found.mtimeMs > DRAFT_LIFETIME_MS)
      await rm(draft, { recursive: true, force: true });
  }
}
