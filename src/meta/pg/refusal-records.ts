import type { DeniedPush, RefusalRecords } from '../metadata-store.ts';
import type { Database } from './database.ts';
import { principalColumns } from './rows.ts';

const ADD = {
  name: 'tag-event-denied',
  text: `insert into tag_events (uid, realm, issuer, claims, repository, tag, kind, reason)
         values ($1, $2, $3, $4, $5, $6, 'denied', $7)
         on conflict (repository, coalesce(tag, ''), uid, coalesce(issuer, '')) where kind = 'denied' do update
         set repetitions = least(tag_events.repetitions, 2147483646) + 1, last_happened = clock_timestamp(),
             reason = excluded.reason, realm = excluded.realm, claims = excluded.claims`,
};

export class PgRefusalRecords implements RefusalRecords {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  async add({ principal, repository, tag, reason }: DeniedPush): Promise<void> {
    const what = [repository, tag ?? null, reason];
    await this.#database.query(ADD, [...principalColumns(principal), ...what]);
  }
}
