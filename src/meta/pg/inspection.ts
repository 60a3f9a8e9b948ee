import { Client } from 'pg';
import { connectionOptions, translate } from './database.ts';
import { MAX_CURSORS } from './lists.ts';
import { compareMigrations, migrationNames } from './migrate.ts';

/** What a database is like, for who wants to know without changing it. */
export interface DatabaseReport {
  /** As in "16.4 (Debian 16.4-1)". */
  readonly version: string;
  readonly majorVersion: number;
  /** It is a standby, or set to read only. */
  readonly isReadOnly: boolean;
  readonly mayCreateTables: boolean;
  /** Settings that are off and without which committed rows can be lost, or the database be damaged. */
  readonly unsafeSettings: readonly string[];
  /** That ordinary users may have, all databases of the server together. */
  readonly maxConnections: number;
  readonly usedConnections: number;
  /** Migrations that the next start would run. */
  readonly pending: readonly string[];
  /** Migrations of a newer version. */
  readonly unknown: readonly string[];
  /** Undefined: no migration has run yet. */
  readonly registryId: string | undefined;
  /** Whether rows name objects of the store. */
  readonly hasObjects: boolean;
}

/** Connections that an instance may have besides those of DB_MAX_POOL: for whole lists, locks, and the migration. */
export const OTHER_CONNECTIONS = MAX_CURSORS + 2;

const SETTINGS = `
  select current_setting('server_version') as version,
         current_setting('server_version_num')::int / 10000 as major_version,
         pg_is_in_recovery() or current_setting('default_transaction_read_only')::bool as is_read_only,
         coalesce(has_schema_privilege(current_schema(), 'create'), false) as may_create,
         array(select name from pg_settings
               where name in ('fsync', 'synchronous_commit', 'full_page_writes') and setting = 'off') as unsafe,
         current_setting('max_connections')::int
           - current_setting('superuser_reserved_connections')::int as max_connections,
         (select count(*)::int from pg_stat_activity
          where backend_type = 'client backend' and pid <> pg_backend_pid()) as used_connections,
         to_regclass('schema_migrations') is not null as is_migrated`;

const CONTENT = `
  select (select id::text from registry) as registry_id,
         exists (select from blob_segments) or exists (select from upload_segments) as has_objects`;

interface SettingsRow {
  readonly version: string;
  readonly major_version: number;
  readonly is_read_only: boolean;
  readonly may_create: boolean;
  readonly unsafe: string[];
  readonly max_connections: number;
  readonly used_connections: number;
  readonly is_migrated: boolean;
}

/** Reads in a transaction that can't write. @throws MetadataUnavailable */
export async function inspectDatabase(url: string): Promise<DatabaseReport> {
  const client = new Client(connectionOptions(url));
  client.on('error', () => undefined); // The statement under way fails too, and tells.
  try {
    await client.connect();
    // What others have set for the role or the database is looked at, this connection's own transaction apart.
    const { rows } = await client.query<SettingsRow>(SETTINGS);
    await client.query('begin read only');
    const [row] = rows;
    if (!row) throw new Error('PostgreSQL answered without a row');
    return { ...reportOf(row), ...(await contentOf(client, row.is_migrated)) };
  } catch (error) {
    throw translate(error);
  } finally {
    await client.end().catch(() => undefined);
  }
}

function reportOf(row: SettingsRow) {
  return {
    version: row.version,
    majorVersion: row.major_version,
    isReadOnly: row.is_read_only,
    mayCreateTables: row.may_create,
    unsafeSettings: row.unsafe,
    maxConnections: row.max_connections,
    usedConnections: row.used_connections,
  };
}

async function contentOf(client: Client, isMigrated: boolean) {
  if (!isMigrated) {
    const pending = await migrationNames();
    return { pending, unknown: [], registryId: undefined, hasObjects: false };
  }
  const { missing, unknown } = await compareMigrations(client);
  const { rows } = await client.query<{ registry_id: string; has_objects: boolean }>(CONTENT);
  const { registry_id: registryId, has_objects: hasObjects = false } = rows[0] ?? {};
  return { pending: missing, unknown, registryId, hasObjects };
}
