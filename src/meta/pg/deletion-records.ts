import type { DeletionRecords } from '../records/deletion-records.ts';
import type { Database, Queryable } from './database.ts';

/** A row may name a key on the list: it was committed at the moment in which the key was put there. */
const CLAIM_DUE = {
  name: 'deletion-claim-due',
  text: `with due as (
           select key from deletions where since <= now() - $1 * interval '1 ms'
           order by since limit $2 for update
         ),
         named as (
           delete from deletions using due
           where deletions.key = due.key
             and (exists (select from blob_segments where blob_segments.key = due.key)
                  or exists (select from upload_segments where upload_segments.key = due.key))
           returning deletions.key
         )
         update deletions set is_claimed = true from due
         where deletions.key = due.key and due.key not in (select key from named)
         returning deletions.key`,
};
const DONE = { name: 'deletion-done', text: 'delete from deletions where key = any($1)' };
const ADD_UNKNOWN = {
  name: 'deletion-add-unknown',
  text: `insert into deletions (key, since)
         select key, now() + $2 * interval '1 ms' from unnest($1::text[]) as stored (key)
         where not exists (select from blob_segments where blob_segments.key = stored.key)
           and not exists (select from upload_segments where upload_segments.key = stored.key)
         on conflict do nothing`,
};
/** The row's newest state counts, not that of the statement's snapshot: a sweep may be claiming the key now. */
const TAKE_OFF = {
  name: 'deletion-take-off',
  text: 'delete from deletions where key = $1 returning is_claimed',
};

export class PgDeletionRecords implements DeletionRecords {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  async claimDue(graceMs: number, limit: number): Promise<string[]> {
    const rows = await this.#database.query<{ key: string }>(CLAIM_DUE, [graceMs, limit]);
    return rows.map(({ key }) => key);
  }

  async done(keys: readonly string[]): Promise<void> {
    await this.#database.query(DONE, [keys]);
  }

  async addUnknown(keys: readonly string[], fromNowMs: number): Promise<void> {
    await this.#database.query(ADD_UNKNOWN, [keys, fromNowMs]);
  }
}

/** For a key that a row is about to name. @returns false when its object is being deleted */
export async function takeOffDeletions(query: Queryable, key: string): Promise<boolean> {
  const [row] = await query.query<{ is_claimed: boolean }>(TAKE_OFF, [key]);
  return row?.is_claimed !== true;
}
