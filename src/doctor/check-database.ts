import type { Config } from '../config.ts';
import { inspectEmbedded } from '../meta/pg/embedded/inspection.ts';
import { type DatabaseReport, inspectDatabase, OTHER_CONNECTIONS } from '../meta/pg/inspection.ts';
import { type Finding, failed, ok, problem, warning } from './finding.ts';

/** The schema uses what came with it. */
const OLDEST_VERSION = 13;

/** @returns undefined where nothing can be said of the database's content */
export async function* checkDatabase(
  config: Config,
): AsyncGenerator<Finding, DatabaseReport | undefined> {
  const { url } = config.database;
  if (url === undefined) return yield* checkEmbedded(config);
  const setting = 'DATABASE_URL';
  try {
    const report = await inspectDatabase(url);
    const { host, pathname } = new URL(url);
    yield* describe(setting, `PostgreSQL ${report.version} at ${host}${pathname}`, report);
    yield* checkSettings(setting, report, config.database.maxPool);
    return report;
  } catch (error) {
    const { message } = failed(setting, error);
    yield problem(setting, `${message}: correct ${setting} (or DB_…), or let this machine in`);
    return undefined;
  }
}

async function* checkEmbedded(config: Config): AsyncGenerator<Finding, DatabaseReport | undefined> {
  const check = 'embedded PostgreSQL';
  try {
    const found = await inspectEmbedded(config.database.embeddedDirectory);
    const where = `in ${found.directory}`;
    if (!found.isMade) {
      yield ok(check, `${found.packageVersion} is installed; the start makes a database ${where}`);
      return undefined;
    }
    if (found.url === undefined) {
      yield ok(check, `a database is ${where}; it doesn't run, so nothing was asked of it`);
      return undefined;
    }
    const report = await inspectDatabase(found.url);
    yield* describe(check, `PostgreSQL ${report.version} runs ${where}`, report);
    return report;
  } catch (error) {
    yield failed(check, error);
    return undefined;
  }
}

function* describe(check: string, what: string, report: DatabaseReport): Generator<Finding> {
  yield report.majorVersion < OLDEST_VERSION
    ? problem(check, `${what} is too old: ${OLDEST_VERSION} or newer is needed`)
    : ok(check, what);
  const { pending, unknown } = report;
  if (unknown.length > 0) {
    const names = unknown.join(', ');
    yield warning('migrations', `a newer Pier One has run ${names}: update this one soon`);
  }
  yield ok(
    'migrations',
    pending.length === 0 ? 'all have run' : `the next start runs ${pending.join(', ')}`,
  );
}

function* checkSettings(check: string, report: DatabaseReport, pool: number): Generator<Finding> {
  if (report.isReadOnly) {
    yield problem(
      check,
      'it takes no writes (a standby, or default_transaction_read_only): name the primary',
    );
  }
  if (!report.mayCreateTables && report.pending.length > 0) {
    yield problem(
      check,
      'its user may not create tables, which the migrations do: grant create on the schema, or make the user its owner',
    );
  }
  if (report.unsafeSettings.length > 0) {
    const names = report.unsafeSettings.join(', ');
    yield warning(check, `${names} is off: what was pushed can be lost in a crash; turn it on`);
  }
  yield checkConnections(check, report, pool);
}

function checkConnections(check: string, report: DatabaseReport, pool: number): Finding {
  const needed = pool + OTHER_CONNECTIONS;
  const { maxConnections, usedConnections } = report;
  const figures = `an instance takes up to ${needed} connections; ${maxConnections - usedConnections} of ${maxConnections} are free`;
  if (needed > maxConnections) {
    return problem(check, `${figures}: raise max_connections, or lower DB_MAX_POOL`);
  }
  const isTight = needed > maxConnections - usedConnections;
  return isTight
    ? warning(
        check,
        `${figures}: fine if this instance has them; else raise max_connections, or lower DB_MAX_POOL`,
      )
    : ok(check, figures);
}
