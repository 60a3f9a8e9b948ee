import { readdir, readFile } from 'node:fs/promises';
import { Client } from 'pg';
import { MetadataUnavailable } from '../metadata-store.ts';
import { connectionOptions, translate } from './database.ts';
import { isForbidden } from './sqlstate.ts';

const MIGRATIONS = new URL('../migrations/', import.meta.url);
/** Constant of ours: instances that start at the same time wait for each other here. */
const MIGRATION_LOCK = '7024961150923';

/**
 * Brings the schema up to date: runs migrations/NNNN-name.sql that have not run, in order, each in a transaction
 * with its entry in schema_migrations. Any number of instances may do so at the same time.
 * @returns the names of those that ran now. @throws MetadataUnavailable
 */
export async function migrate(url: string): Promise<string[]> {
  const client = new Client({
    ...connectionOptions(url),
    // It may have to read all there is.
    options: '',
    statement_timeout: 0,
    query_timeout: 0,
  });
  client.on('error', () => undefined); // The statement under way fails too, and tells.
  try {
    await client.connect();
    await client.query('select pg_advisory_lock($1)', [MIGRATION_LOCK]);
    return await runMissing(client);
  } catch (error) {
    throw isForbidden(error) ? forbidden(error) : translate(error);
  } finally {
    // The lock ends with its connection.
    await client.end().catch(() => undefined);
  }
}

function forbidden(cause: unknown): MetadataUnavailable {
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new MetadataUnavailable(
    `PostgreSQL refuses to bring the schema up to date: ${reason}. Make the user owner of the database`,
    { cause, mayPass: false },
  );
}

async function runMissing(client: Client): Promise<string[]> {
  await client.query(
    'create table if not exists schema_migrations (name text primary key, applied timestamptz not null default now())',
  );
  const { missing } = await compareMigrations(client);
  for (const name of missing) await run(client, name);
  return missing;
}

/** What this program would run, and what a newer one has run. The table schema_migrations must be there. */
export async function compareMigrations(client: Client) {
  const { rows } = await client.query<{ name: string }>('select name from schema_migrations');
  const applied = rows.map((row) => row.name);
  const names = await migrationNames();
  return {
    missing: names.filter((name) => !applied.includes(name)),
    unknown: applied.filter((name) => !names.includes(name)),
  };
}

/** In the order in which they run. */
export async function migrationNames(): Promise<string[]> {
  return (await readdir(MIGRATIONS)).filter((name) => name.endsWith('.sql')).toSorted();
}

async function run(client: Client, name: string): Promise<void> {
  const sql = await readFile(new URL(name, MIGRATIONS), 'utf8');
  await client.query('begin');
  await client.query(sql);
  await client.query('insert into schema_migrations (name) values ($1)', [name]);
  await client.query('commit');
}
