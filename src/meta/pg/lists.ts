import { Pool, type PoolClient, type QueryResultRow } from 'pg';
import type { Batches } from '../records/catalog-records.ts';
import { connectionOptions, type Database, type Statement, translate } from './database.ts';

/** Rows that are in memory at once, for one reader of a whole list. */
const BATCH_ROWS = 500;
/** A cursor keeps its connection until its reader has everything: apart from those that pushes and pulls need. */
export const MAX_CURSORS = 4;
const IDLE_TIMEOUT_MS = 10_000;

/** Reads lists: a page in one query, a whole list from a cursor, which shows one snapshot. */
export class Lists {
  readonly #database: Database;
  readonly #pool: Pool;

  constructor(database: Database, url: string, onIdleError: (error: Error) => void) {
    this.#database = database;
    this.#pool = new Pool({
      ...connectionOptions(url),
      max: MAX_CURSORS,
      idleTimeoutMillis: IDLE_TIMEOUT_MS,
    });
    this.#pool.on('error', onIdleError);
  }

  /**
   * @param statement its last parameter, which `values` leaves out, is the limit
   * @param limit undefined: all rows, a batch at a time. A list of one batch needs no cursor
   */
  async *read<Row extends QueryResultRow>(
    statement: Statement,
    values: readonly unknown[],
    limit: number | undefined,
  ): Batches<Row> {
    const wanted = limit ?? BATCH_ROWS + 1;
    const rows = await this.#database.query<Row>(statement, [...values, wanted]);
    if (limit !== undefined || rows.length < wanted) yield rows;
    else yield* this.#all<Row>(statement, values);
  }

  async close(): Promise<void> {
    await this.#pool.end();
  }

  async *#all<Row extends QueryResultRow>(
    statement: Statement,
    values: readonly unknown[],
  ): Batches<Row> {
    const cursor = await Cursor.open(this.#pool, statement, values);
    try {
      for (;;) {
        const rows = await cursor.fetch<Row>();
        if (rows.length < BATCH_ROWS) await cursor.close();
        yield rows;
        if (rows.length < BATCH_ROWS) return;
      }
    } finally {
      await cursor.close();
    }
  }
}

/** What each row means. */
export async function* mapRows<Row, T>(rows: Batches<Row>, toItem: (row: Row) => T): Batches<T> {
  for await (const batch of rows) yield batch.map(toItem);
}

/** An open transaction on a connection of its own. */
class Cursor {
  readonly #client: PoolClient;
  #broken: Error | undefined;
  #isClosed = false;
  readonly #onError = (error: Error) => {
    this.#broken = error;
  };

  private constructor(client: PoolClient) {
    this.#client = client;
    // Without a listener a connection that dies between two statements would end the process.
    client.on('error', this.#onError);
  }

  /** @throws MetadataUnavailable, also when too many are open */
  static async open(pool: Pool, { text }: Statement, values: readonly unknown[]): Promise<Cursor> {
    const client = await pool.connect().catch((error: unknown) => {
      throw translate(error);
    });
    const cursor = new Cursor(client);
    await cursor.#run(async () => {
      await client.query('begin read only');
      await client.query(`declare list no scroll cursor for ${text}`, [...values, null]);
    });
    return cursor;
  }

  fetch<Row extends QueryResultRow>(): Promise<Row[]> {
    return this.#run(
      async () => (await this.#client.query<Row>(`fetch ${BATCH_ROWS} from list`)).rows,
    );
  }

  /** Harmless when called twice. Never throws. */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    if (!this.#broken) await this.#client.query('rollback').catch(this.#onError);
    this.#client.off('error', this.#onError);
    this.#client.release(this.#broken);
  }

  async #run<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      this.#broken ??= error instanceof Error ? error : new Error(String(error));
      await this.close();
      throw translate(error);
    }
  }
}
