import type { TokenKeyRecord, TokenKeyRecords } from '../records/token-key-records.ts';
import type { Database } from './database.ts';

const LIST = {
  name: 'token-key-list',
  text: `select id::text, secret, (extract(epoch from now() - created) * 1000)::float8 as "ageMs"
         from token_keys order by number desc`,
};
/** Those that ask at the same time ask for the same number; those that come later see the new key. */
const ADD_IF_DUE = {
  name: 'token-key-add-if-due',
  text: `insert into token_keys (number, secret)
         select coalesce(max(number), 0) + 1, $1 from token_keys
         having coalesce(max(created), '-infinity') <= now() - $2 * interval '1 ms'
         on conflict (number) do nothing`,
};
const REMOVE_OUTLIVED = {
  name: 'token-key-remove-outlived',
  text: `delete from token_keys using token_keys as successor
         where successor.number = token_keys.number + 1
           and successor.created <= now() - $1 * interval '1 ms'`,
};

export class PgTokenKeyRecords implements TokenKeyRecords {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  list(): Promise<TokenKeyRecord[]> {
    return this.#database.query<TokenKeyRecord>(LIST, []);
  }

  async addIfDue(secret: Uint8Array, afterMs: number): Promise<void> {
    await this.#database.query(ADD_IF_DUE, [Buffer.from(secret), afterMs]);
  }

  async removeOutlived(successorAgeMs: number): Promise<void> {
    await this.#database.query(REMOVE_OUTLIVED, [successorAgeMs]);
  }
}
