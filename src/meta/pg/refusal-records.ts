import { randomUUID } from 'node:crypto';
import type { DeniedPush, RefusalRecords, RefusedLogin } from '../records/event-records.ts';
import { type EventRouting, NO_SINKS } from '../records/outbox-records.ts';
import type { Database } from './database.ts';
import { ADD_LOGIN, outboxParameters, REPEATED_AFTER, withOutbox } from './outbox-statements.ts';
import { principalColumns } from './rows.ts';

const ADD = {
  name: 'tag-event-denied',
  text: withOutbox(
    `insert into tag_events (uid, realm, issuer, claims, repository, tag, kind, reason)
     values ($1, $2, $3, $4, $5, $6, 'denied', $7)
     on conflict (repository, coalesce(tag, ''), uid, coalesce(issuer, '')) where kind = 'denied' do update
     set repetitions = least(tag_events.repetitions, 2147483646) + 1, last_happened = clock_timestamp(),
         reason = excluded.reason, realm = excluded.realm, claims = excluded.claims
     returning *`,
    8,
    `not exists (select from tag_events b
                 where b.kind = 'denied' and b.repository = $5 and coalesce(b.tag, '') = coalesce($6::text, '')
                   and b.uid = $1 and coalesce(b.issuer, '') = coalesce($3::text, '') and ${REPEATED_AFTER})`,
  ),
};

export class PgRefusalRecords implements RefusalRecords {
  readonly #database: Database;
  readonly #routing: EventRouting;

  constructor(database: Database, routing: EventRouting = NO_SINKS) {
    this.#database = database;
    this.#routing = routing;
  }

  async add({ principal, repository, tag, reason }: DeniedPush): Promise<void> {
    const what = [repository, tag ?? null, reason];
    const sinks = this.#routing.sinksFor({ kind: 'denied', repository });
    const values = [...principalColumns(principal), ...what, ...outboxParameters(sinks)];
    await this.#database.query(ADD, values);
    this.#routing.committed(repository);
  }

  async addLogin({ principal, reason }: RefusedLogin): Promise<void> {
    const sinks = this.#routing.sinksFor({ kind: 'login-refused' });
    if (sinks.length === 0) return;
    const values = [...principalColumns(principal), reason, randomUUID(), sinks];
    await this.#database.query(ADD_LOGIN, values);
    this.#routing.committed(undefined);
  }
}
