import type { DeletionRecords } from '../metadata-store.ts';
import type { Database } from './database.ts';

const DUE = {
  name: 'deletion-due',
  text: `select key from deletions where since <= now() - $1 * interval '1 ms' order by since limit $2`,
};
const DONE = { name: 'deletion-done', text: 'delete from deletions where key = any($1)' };
const UNKNOWN = {
  name: 'deletion-unknown',
  text: `select key from unnest($1::text[]) as stored (key)
         where not exists (select from blob_segments where blob_segments.key = stored.key)
           and not exists (select from upload_segments where upload_segments.key = stored.key)
           and not exists (select from deletions where deletions.key = stored.key)`,
};

export class PgDeletionRecords implements DeletionRecords {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  async due(graceMs: number, limit: number): Promise<string[]> {
    return keysOf(await this.#database.query<{ key: string }>(DUE, [graceMs, limit]));
  }

  async done(keys: readonly string[]): Promise<void> {
    await this.#database.query(DONE, [keys]);
  }

  async unknown(keys: readonly string[]): Promise<string[]> {
    return keysOf(await this.#database.query<{ key: string }>(UNKNOWN, [keys]));
  }
}

function keysOf(rows: readonly { key: string }[]): string[] {
  return rows.map((row) => row.key);
}
