import type {
  Batches,
  EventRecords,
  Part,
  TagEvent,
  TagEventFilter,
  TagEventKind,
} from '../metadata-store.ts';
import type { Database, Statement } from './database.ts';
import { type Lists, mapRows } from './lists.ts';
import { toDigest } from './rows.ts';

const LAST_ID = {
  name: 'tag-event-last',
  text: 'select case when is_called then last_value else 0 end::text as last from tag_events_id_seq',
};
/** announce_tag_events() takes these locks. */
const OLDEST_WRITER = {
  name: 'tag-event-writers',
  text: `select min(l.objid::bigint)::text as last from pg_locks l join pg_database d on d.oid = l.database
         where d.datname = current_database() and l.locktype = 'advisory' and l.objsubid = 2 and l.classid = 72946`,
};

/**
 * Ids and times rise together, but for those of transactions at the same time, of which there are fewer than this:
 * the first id since a time is one of the next so many in the order of time.
 */
const CONCURRENT = 200;

/** What a filter asks, by its name. */
const CONDITIONS: Readonly<Record<keyof TagEventFilter, (value: string) => string>> = {
  team: (value) => `team = ${value}`,
  repository: (value) => `repository = ${value}`,
  tag: (value) => `tag = ${value}`,
  kind: (value) => `kind = ${value}`,
  uid: (value) => `uid = ${value}`,
  since: (value) => `happened >= ${value} and id >= (select min(id) from
    (select id from tag_events where happened >= ${value} order by happened limit ${CONCURRENT}) next)`,
  until: (value) => `happened < ${value} and id <= (select max(id) from
    (select id from tag_events where happened < ${value} order by happened desc limit ${CONCURRENT}) last)`,
};
const FILTERS = ['team', 'repository', 'tag', 'kind', 'uid', 'since', 'until'] as const;

interface EventRow {
  id: string;
  repository: string;
  tag: string | null;
  kind: TagEventKind;
  digest: string | null;
  previous_digest: string | null;
  reason: string | null;
  uid: string;
  realm: string | null;
  happened: Date;
  repetitions: number;
  last_happened: Date;
}

export class PgEventRecords implements EventRecords {
  readonly #database: Database;
  readonly #lists: Lists;

  constructor(database: Database, lists: Lists) {
    this.#database = database;
    this.#lists = lists;
  }

  async *list(
    filter: TagEventFilter,
    isNewestFirst: boolean,
    { after, limit }: Part<string>,
  ): Batches<TagEvent> {
    const last = await this.#lastSettled();
    const [above, below] = isNewestFirst ? ['0', after ?? null] : [after ?? '0', null];
    const { statement, values } = statementOf(filter, isNewestFirst);
    const parameters = [above, last, below, ...values];
    yield* mapRows(this.#lists.read<EventRow>(statement, parameters, limit), toEvent);
  }

  /**
   * The last id behind which nothing will come before it. Three questions one after the other: an id that was given
   * before the first answer belongs to a row that the list will see, or to a writer that the second one sees.
   */
  async #lastSettled(): Promise<string> {
    const [last] = await this.#database.query<{ last: string }>(LAST_ID, []);
    const [writer] = await this.#database.query<{ last: string | null }>(OLDEST_WRITER, []);
    const ids = [last?.last, writer?.last].flatMap((id) => (id ? [BigInt(id)] : []));
    return ids.reduce((least, id) => (id < least ? id : least), ids[0] ?? 0n).toString();
  }
}

function statementOf(
  filter: TagEventFilter,
  isNewestFirst: boolean,
): { statement: Statement; values: unknown[] } {
  const used = FILTERS.filter((name) => filter[name] !== undefined);
  const conditions = used.map((name, index) => CONDITIONS[name](`$${index + 4}`));
  const order = isNewestFirst ? 'desc' : 'asc';
  const text = `select id::text, repository, tag, kind, digest, previous_digest, reason, uid, realm,
                       happened, repetitions, last_happened
                from tag_events
                where ${['id > $1', 'id <= $2', 'id < coalesce($3, 9223372036854775807)', ...conditions].join(' and ')}
                order by tag_events.id ${order} limit $${used.length + 4}`;
  const name = ['tag-event-list', order, ...used].join('-');
  return { statement: { name, text }, values: used.map((filterName) => filter[filterName]) };
}

function toEvent(row: EventRow): TagEvent {
  return {
    id: row.id,
    repository: row.repository,
    tag: row.tag ?? undefined,
    kind: row.kind,
    digest: row.digest === null ? undefined : toDigest(row.digest),
    previousDigest: row.previous_digest === null ? undefined : toDigest(row.previous_digest),
    reason: row.reason ?? undefined,
    uid: row.uid,
    realm: row.realm ?? undefined,
    issuer: undefined,
    happened: row.happened,
    repetitions: row.repetitions,
    lastHappened: row.last_happened,
  };
}
