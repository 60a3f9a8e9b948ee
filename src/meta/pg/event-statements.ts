import type { TagEventFilter } from '../records/event-records.ts';
import type { Statement } from './database.ts';

/*
 * The statements of event-records.ts.
 */

export const LAST_ID = {
  name: 'tag-event-last',
  text: 'select case when is_called then last_value else 0 end::text as last from tag_events_id_seq',
};
/** announce_tag_events() takes these locks. */
export const OLDEST_WRITER = {
  name: 'tag-event-writers',
  text: `select min(l.objid::bigint)::text as last from pg_locks l join pg_database d on d.oid = l.database
         where d.datname = current_database() and l.locktype = 'advisory' and l.objsubid = 2 and l.classid = 72946`,
};

/**
 * Ids and times rise together, but for those of transactions at the same time, of which there are fewer than this:
 * the first id since a time is one of the next so many in the order of time.
 */
const CONCURRENT = 200;

/** Between which ids the events since and until some times are; null: there are none, or the time is null. */
export const BETWEEN_TIMES = {
  name: 'tag-event-times',
  text: `select (select min(id) - 1 from (select id from tag_events where happened >= $1::timestamptz
                                          order by happened limit ${CONCURRENT}) next)::text as above,
                (select max(id) from (select id from tag_events where happened < $2::timestamptz
                                      order by happened desc limit ${CONCURRENT}) before)::text as last`,
};

/** Filters that have an index, by which the list then goes; the one that leaves the fewest events comes first. */
const INDEXED = [['repository', 'tag'], ['repository'], ['uid'], ['team'], ['kind']] as const;
const FILTERS = ['team', 'repository', 'tag', 'kind', 'uid'] as const;
type FilterName = (typeof FILTERS)[number];

/**
 * Events by id. Its parameters are: the id behind which they are, the last one, since when, until when (or null), those
 * of the filter, which come along, and the limit. Rows are compared, so that PostgreSQL can't take another index
 * than that of the filter and leave out row by row what doesn't match.
 */
export function eventStatement(
  filter: TagEventFilter,
  isNewestFirst: boolean,
): { statement: Statement; values: unknown[] } {
  const used = FILTERS.filter((name) => filter[name] !== undefined);
  const index: readonly FilterName[] =
    INDEXED.find((names) => names.every((name) => filter[name] !== undefined)) ?? [];
  const parameterOf = (name: FilterName) => `$${used.indexOf(name) + 5}`;
  const row = [...index, 'id'].join(', ');
  const bound = (id: string) => [...index.map(parameterOf), id].join(', ');
  const others = used.filter((name) => !index.includes(name));
  const conditions = [
    `(${row}) > (${bound('$1::bigint')})`,
    `(${row}) <= (${bound('$2::bigint')})`,
    "happened >= coalesce($3::timestamptz, '-infinity')",
    "happened < coalesce($4::timestamptz, 'infinity')",
    ...others.map((name) => `${name} = ${parameterOf(name)}`),
  ];
  const order = isNewestFirst ? 'desc' : 'asc';
  const key = [...index, 'id'].map((name) => `e.${name} ${order}`).join(', ');
  const text = `select id::text, repository, tag, kind, digest, previous_digest, reason, uid, realm, issuer,
                       happened, repetitions, last_happened
                from tag_events e where ${conditions.join(' and ')}
                order by ${key} limit $${used.length + 5}`;
  // Without a name it is planned for its values: a plan for all of them would read every event.
  return { statement: { name: '', text }, values: used.map((name) => filter[name]) };
}
