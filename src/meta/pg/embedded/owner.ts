import { setTimeout as delay } from 'node:timers/promises';
import type { Client } from 'pg';
import { DatabaseInUse, OTHERWISE } from './error.ts';
import { isTransient } from './server.ts';

/** Of advisory locks in the database `postgres`; the bytes of "pier\0one". It must never change. */
const OWNER_KEY = '8100116945110527589';
/** The backend of an owner that was killed needs a moment to notice. */
const TIMEOUT_MS = 3_000;
const POLL_MS = 100;

/**
 * Makes the connection the owner's, until it ends.
 * @returns false if the connection was lost: its server is being stopped. @throws DatabaseInUse
 */
export async function takeOwnership(client: Client, directory: string): Promise<boolean> {
  try {
    const deadline = Date.now() + TIMEOUT_MS;
    while (!(await tryLock(client))) {
      if (Date.now() > deadline) throw inUse(directory, await findOwner(client));
      await delay(POLL_MS);
    }
    return true;
  } catch (error) {
    await client.end().catch(() => {});
    if (isTransient(error)) return false;
    throw error;
  }
}

async function tryLock(client: Client): Promise<boolean> {
  const result = await client.query<{ locked: boolean }>('select pg_try_advisory_lock($1) locked', [
    OWNER_KEY,
  ]);
  return result.rows[0]?.locked === true;
}

/** @returns the process's id, if it can be told. */
async function findOwner(client: Client): Promise<string | undefined> {
  const { rows } = await client.query<{ application_name: string }>(
    `select application_name from pg_locks join pg_stat_activity using (pid)
      where locktype = 'advisory' and granted and datname = current_database() and objsubid = 1
        and (classid::bigint << 32) + objid::bigint = $1`,
    [OWNER_KEY],
  );
  return /^pierone-owner (\d+)$/.exec(rows[0]?.application_name ?? '')?.[1];
}

function inUse(directory: string, pid: string | undefined): DatabaseInUse {
  const who = pid === undefined ? 'Another Pier One' : `Another Pier One (process ${pid})`;
  return new DatabaseInUse(
    `${who} uses the embedded database in ${directory}: stop it, or ${OTHERWISE}`,
  );
}
