import { type ClientConfig, Pool, type PoolClient, type QueryResultRow } from 'pg';
import type { Metrics } from '../../metrics.ts';
import { MetadataUnavailable } from '../metadata-store.ts';
import { isConnectionLost, isRefusal, isRetryable } from './sqlstate.ts';

/** A statement with a name is prepared once a connection; one whose name is empty is planned each time. */
export interface Statement {
  readonly name: string;
  readonly text: string;
}

/** Rows of a statement; the row's type is what the statement's text selects. */
export interface Queryable {
  query<Row extends QueryResultRow>(statement: Statement, values: unknown[]): Promise<Row[]>;
}

/** In a transaction. */
export interface TransactionQueryable extends Queryable {
  /** Goes out with the statement behind it, without a round trip of its own; its error is the transaction's. */
  send(statement: Statement, values: unknown[]): void;
}

export interface DatabaseOptions {
  /** A libpq connection URL. */
  readonly url: string;
  readonly maxConnections: number;
  /** Told of connections that die while idle. */
  readonly onIdleError: (error: Error) => void;
  readonly metrics?: DatabaseMetrics | undefined;
}

export type DatabaseMetrics = Pick<
  Metrics,
  'databaseQuery' | 'databaseUnavailable' | 'watchDatabasePool'
>;

const CONNECT_TIMEOUT_MS = 10_000;
const STATEMENT_TIMEOUT_MS = 30_000;
/** A connection that is silent for so long is asked whether it still is one; ten seconds later it is lost. */
const KEEP_ALIVE_MS = 10_000;
const IDLE_TIMEOUT_MS = 60_000;
const MAX_ATTEMPTS = 5;
const PING: Statement = { name: 'ping', text: 'select' };
const ALLOW_SCAN: Statement = { name: 'allow-scan', text: 'set local enable_seqscan = on' };
/**
 * Each statement reads the few rows that it needs by an index, a list as far as a page goes. With statistics that are behind, or
 * while tables are small, something else can look cheaper: to read a whole table, or all rows of a repository, and the plan is
 * kept while they grow.
 */
const PLANNER = [
  'enable_bitmapscan=off',
  'enable_seqscan=off',
  'enable_hashjoin=off',
  'enable_mergejoin=off',
  // A table without an index looks so dear then that it would be compiled for.
  'jit=off',
];

/** Thrown inside a transaction to leave nothing of it; carries the result that the caller gets. */
class Rollback<T> extends Error {
  readonly result: T;

  constructor(result: T) {
    super('rolled back');
    this.result = result;
  }
}

/** A pool of connections. Every error that means "no database" becomes MetadataUnavailable. */
export class Database implements Queryable {
  readonly #pool: Pool;
  readonly #connected = new Set<PoolClient>();
  readonly #metrics: DatabaseMetrics | undefined;

  constructor(options: DatabaseOptions) {
    this.#pool = new Pool({
      ...connectionOptions(options.url),
      max: options.maxConnections,
      // Only a transaction sends several statements at once: each connection has one user at a time.
      pipeline: true,
      idleTimeoutMillis: IDLE_TIMEOUT_MS,
    });
    this.#pool.on('error', options.onIdleError);
    this.#pool.on('connect', (client) => this.#connected.add(client));
    this.#pool.on('remove', (client) => this.#connected.delete(client));
    this.#metrics = options.metrics;
    const pool = this.#pool;
    options.metrics?.watchDatabasePool(() => ({
      connections: pool.totalCount,
      idle: pool.idleCount,
      waiting: pool.waitingCount,
      limit: options.maxConnections,
    }));
  }

  /** Resolves at once while a connection stands, else when one could be made. @throws MetadataUnavailable */
  async untilReachable(): Promise<void> {
    if (this.#connected.size === 0) await this.query(PING, []);
  }

  async query<Row extends QueryResultRow>(statement: Statement, values: unknown[]): Promise<Row[]> {
    try {
      return await this.#query<Row>(this.#pool, statement, values);
    } catch (error) {
      throw this.#translate(error);
    }
  }

  /** As `query`, for a statement that needs most rows of a table. */
  scan<Row extends QueryResultRow>(statement: Statement, values: unknown[]): Promise<Row[]> {
    return this.transaction((query) => {
      query.send(ALLOW_SCAN, []);
      return query.query<Row>(statement, values);
    });
  }

  /**
   * Runs `work` in a transaction (READ COMMITTED) and commits it. Deadlocks and serialization failures run it
   * again. `work` may call `rollback` to end without a trace.
   * @throws MetadataUnavailable, after which the transaction may have been committed or not
   */
  transaction<T>(
    work: (query: TransactionQueryable, rollback: (result: T) => never) => Promise<T>,
  ): Promise<T> {
    return this.#retry(() => this.#attempt(work));
  }

  /** One statement that is a transaction by itself: a round trip instead of three. @throws as `transaction` does */
  change<Row extends QueryResultRow>(statement: Statement, values: unknown[]): Promise<Row[]> {
    return this.#retry(() => this.#query<Row>(this.#pool, statement, values));
  }

  async #retry<T>(attempt: () => Promise<T>): Promise<T> {
    for (let count = 1; ; count += 1) {
      try {
        return await attempt();
      } catch (error) {
        if (error instanceof Rollback) return error.result;
        if (!isRetryable(error)) throw this.#translate(error);
        if (count === MAX_ATTEMPTS) {
          throw new MetadataUnavailable('PostgreSQL could not serialize the transaction', {
            cause: error,
          });
        }
      }
    }
  }

  async close(): Promise<void> {
    await this.#pool.end();
  }

  async #attempt<T>(
    work: (query: TransactionQueryable, rollback: (result: T) => never) => Promise<T>,
  ) {
    const client = await this.#pool.connect();
    let broken: Error | undefined;
    // Without a listener a connection that dies between two statements would end the process.
    const onError = (error: Error) => {
      broken = error;
    };
    client.on('error', onError);
    try {
      return await this.#run(client, work);
    } catch (error) {
      if (isConnectionLost(error)) broken = asError(error);
      else await client.query('rollback').catch((failure: Error) => (broken = failure));
      throw error;
    } finally {
      client.off('error', onError);
      client.release(broken);
    }
  }

  /** From `begin` to `commit`. What isn't waited for fails before what comes after it: its error is the one that tells. */
  async #run<T>(
    client: PoolClient,
    work: (query: TransactionQueryable, rollback: (result: T) => never) => Promise<T>,
  ): Promise<T> {
    let sent: Promise<unknown>[] = [];
    const add = (promise: Promise<unknown>): void => {
      // It is met by what is waited for next.
      promise.catch(() => undefined);
      sent.push(promise);
    };
    const settle = async () => {
      const before = sent;
      sent = [];
      await Promise.all(before);
    };
    add(client.query('begin'));
    const query = async <Row extends QueryResultRow>(statement: Statement, values: unknown[]) => {
      const rows = this.#query<Row>(client, statement, values);
      add(rows);
      await settle();
      return rows;
    };
    const send = (statement: Statement, values: unknown[]) => {
      add(this.#query(client, statement, values));
    };
    const result = await work({ query, send }, (value) => {
      throw new Rollback(value);
    });
    add(client.query('commit'));
    await settle();
    return result;
  }

  async #query<Row extends QueryResultRow>(
    on: Pool | PoolClient,
    statement: Statement,
    values: unknown[],
  ): Promise<Row[]> {
    const { name, text } = statement;
    const begin = performance.now();
    try {
      return (await on.query<Row>({ name, text, values })).rows;
    } finally {
      this.#metrics?.databaseQuery(name, (performance.now() - begin) / 1000);
    }
  }

  #translate(error: unknown): unknown {
    const translated = translate(error);
    if (translated instanceof MetadataUnavailable) this.#metrics?.databaseUnavailable.inc();
    return translated;
  }
}

/** How every connection to PostgreSQL behaves; what the URL itself says of these counts instead. */
export function connectionOptions(url: string): ClientConfig {
  return {
    connectionString: url,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    idle_in_transaction_session_timeout: STATEMENT_TIMEOUT_MS,
    statement_timeout: STATEMENT_TIMEOUT_MS,
    query_timeout: STATEMENT_TIMEOUT_MS + 5_000,
    keepAlive: true,
    keepAliveInitialDelayMillis: KEEP_ALIVE_MS,
    application_name: 'pierone',
    options: PLANNER.map((setting) => `-c ${setting}`).join(' '),
  };
}

/** What an error of pg means to the rest of the program. */
export function translate(error: unknown): unknown {
  if (!isConnectionLost(error)) return error;
  return new MetadataUnavailable(`PostgreSQL is unavailable: ${asError(error).message}`, {
    cause: error,
    mayPass: !isRefusal(error),
  });
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}
