import { randomUUID } from 'node:crypto';
import { LOGINS_QUEUE } from '../records/outbox-records.ts';

/*
 * The statements of outbox-records.ts, and what others add to theirs to write to the outbox.
 */

/**
 * Writes an event to the audit trail and to the outbox in one statement.
 * @param event inserts a row of tag_events and returns it
 * @param first number of the first of the parameters that `outboxParameters` makes
 * @param condition whether it goes to the outbox
 * @param change what happened, a statement that is carried out, too
 */
export function withOutbox(
  event: string,
  first: number,
  condition = 'true',
  change?: string,
): string {
  return `with ${change === undefined ? '' : `change as (${change}), `}event as (${event})
          insert into outbox (sink, event_id, queue, kind, tag, digest, previous_digest, media_type, size_bytes,
                              reason, uid, realm, issuer, claims, happened)
          select sink, $${first + 1}, e.repository, e.kind, e.tag, e.digest, e.previous_digest, $${first + 2},
                 $${first + 3}, e.reason, e.uid, e.realm, e.issuer, e.claims,
                 case when e.repetitions = 1 then e.happened else e.last_happened end
          from event e cross join unnest($${first}::text[]) as sink where ${condition}`;
}

/** The parameters that `withOutbox` adds. */
export function outboxParameters(
  sinks: readonly string[],
  mediaType?: string,
  sizeBytes?: number,
): unknown[] {
  return [sinks, randomUUID(), mediaType ?? null, sizeBytes ?? null];
}

/** Of a refusal `b` as it was before: what goes on without a pause of a minute is one event, and counted. */
export const REPEATED_AFTER = "b.last_happened > clock_timestamp() - interval '1 minute'";

export const ADD_LOGIN = {
  name: 'outbox-add-login',
  text: `insert into outbox (uid, realm, issuer, claims, queue, kind, reason, event_id, sink, happened)
         select $1, $2, $3, $4, '${LOGINS_QUEUE}', 'login-refused', $5, $6, sink, clock_timestamp()
         from unnest($7::text[]) as sink`,
};

const EVENT = `event_id, queue, kind, tag, digest, previous_digest, media_type, size_bytes, reason, uid, realm, issuer,
               claims, happened`;

/**
 * Rows are compared, and sorted by all columns of the index, so that PostgreSQL can't take another one, and read what
 * others wait for.
 */
const OF_QUEUE = `from outbox o where o.parked is null and (o.sink, o.queue, o.id) >= ($1, p.name, 0)
                    and (o.sink, o.queue) <= ($1, p.name)
                  order by o.sink, o.queue, o.id`;
const firstQueueBehind = (name: string) =>
  `select o.queue from outbox o where o.parked is null and (o.sink, o.queue) > ($1, ${name}) and o.sink <= $1
   order by o.sink, o.queue limit 1`;

/** @param page selects the names of queues; $1 is the sink, $2 how many entries of each */
function queues(page: string): string {
  return `${page}
    select p.name, greatest(extract(epoch from head.due - now()) * 1000, 0)::float8 as wait_ms,
           e.id::text, e.attempts, e.age_ms, e.event_id, e.queue, e.kind, e.tag, e.digest, e.previous_digest,
           e.media_type, e.size_bytes::float8, e.reason, e.uid, e.realm, e.issuer, e.claims, e.happened
    from page p
    cross join lateral (select coalesce(o.due, now()) as due ${OF_QUEUE} limit 1) head
    left join lateral (select id, attempts, extract(epoch from now() - happened)::float8 * 1000 as age_ms, ${EVENT}
                       ${OF_QUEUE} limit $2) e on head.due <= now()`;
}

/** Goes from queue to queue, however many events each has. */
export const SCAN = {
  name: 'outbox-scan',
  text: queues(`with recursive next (name) as (
      (${firstQueueBehind('$3')})
      union all
      select (${firstQueueBehind('n.name')})
      from next n where n.name is not null
    ), page as (select name from next where name is not null limit $4)`),
};
export const READ = {
  name: 'outbox-read',
  text: queues('with page as (select name from unnest($3::text[]) as name)'),
};
export const REMOVE = {
  name: 'outbox-remove',
  text: 'delete from outbox where id = any($1::bigint[])',
};
export const POSTPONE = {
  name: 'outbox-postpone',
  text: `update outbox set attempts = attempts + 1, error = $2, due = now() + $3 * interval '1 millisecond'
         where id = $1`,
};
export const PARK = {
  name: 'outbox-park',
  text: 'update outbox set attempts = attempts + 1, error = $2, due = null, parked = now() where id = $1',
};
export const PARK_AGED = {
  name: 'outbox-park-aged',
  text: `update outbox set error = coalesce(error, $3), due = null, parked = now()
         where id in (select id from outbox where sink = $1 and parked is null
                      and happened < now() - $2 * interval '1 millisecond' limit $4)
         returning id`,
};
export const RETRY_NOW = {
  name: 'outbox-retry',
  text: `update outbox set due = null
         where sink = $1 and error is not null and parked is null and due is not null`,
};
export const REMOVE_PARKED = {
  name: 'outbox-remove-parked',
  text: `delete from outbox
         where id in (select id from outbox where sink = $1 and parked < now() - $2 * interval '1 millisecond' limit $3)
         returning id`,
};
export const SINKS = {
  name: 'outbox-sinks',
  text: 'select sink from outbox union select sink from outbox_sinks order by sink',
};
export const REMOVE_AGED = {
  name: 'outbox-remove-aged',
  text: `delete from outbox
         where id in (select id from outbox
                      where sink = $1 and happened < now() - $2 * interval '1 millisecond' limit $3)
         returning id`,
};
export const FORGET = {
  name: 'outbox-forget',
  text: 'delete from outbox_sinks where sink = $1 and not exists (select from outbox where sink = $1)',
};
export const REPORT = {
  name: 'outbox-report',
  text: `insert into outbox_sinks as s (sink, last_success, last_failure, last_error)
         values ($1, now() - $2 * interval '1 millisecond', now() - $3 * interval '1 millisecond', $4)
         on conflict (sink) do update
         set last_success = coalesce(excluded.last_success, s.last_success),
             last_failure = coalesce(excluded.last_failure, s.last_failure),
             last_error = coalesce(excluded.last_error, s.last_error)`,
};
export const STATES = {
  name: 'outbox-states',
  text: `select s.*, p.pending, k.parked, h.happened as oldest,
                coalesce(extract(epoch from now() - h.happened) * 1000, 0)::float8 as oldest_age_ms
         from outbox_sinks s
         cross join lateral (select count(*)::float8 as pending, min(id) as first from outbox o
                             where o.sink = s.sink and o.parked is null) p
         cross join lateral (select count(*)::float8 as parked from outbox o
                             where o.sink = s.sink and o.parked is not null) k
         left join outbox h on h.id = p.first
         order by s.sink`,
};
export const LIST_FAILED = {
  name: 'outbox-failed',
  text: `select id::text, sink, attempts, error, due, parked, ${EVENT.replace('size_bytes', 'size_bytes::float8')}
         from outbox where error is not null and id > $1 order by id limit $2`,
};
