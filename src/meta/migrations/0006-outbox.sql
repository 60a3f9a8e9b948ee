-- Events on their way to sinks: a row for each event and sink, written in the transaction of what happened, and
-- removed when it was delivered.
create table outbox (
  id bigint generated always as identity primary key,
  sink text collate "C" not null,
  -- The repository, or - of refused logins: events of one queue are delivered one after the other, by id. A push holds
  -- its repository's lock when its event gets the id, so ids have the order of commits.
  queue text collate "C" not null,
  -- The same for all sinks, and in each delivery.
  event_id uuid not null,
  kind text not null,
  tag text collate "C",
  digest text collate "C",
  previous_digest text collate "C",
  media_type text,
  size_bytes bigint,
  reason text,
  uid text not null,
  realm text,
  issuer text,
  claims jsonb,
  happened timestamptz not null,
  -- Deliveries that failed, and why the last one did.
  attempts int not null default 0,
  error text,
  -- When it is tried again; null: now.
  due timestamptz,
  -- Since when it is tried no more.
  parked timestamptz
) with (
  -- Rows live for a moment: what they leave is taken back while it is little, however large the table once was.
  autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000,
  autovacuum_vacuum_insert_threshold = -1, autovacuum_vacuum_cost_delay = 0,
  autovacuum_analyze_scale_factor = 0, autovacuum_analyze_threshold = 20000
);
create index outbox_pending on outbox (sink, queue, id) where parked is null;
create index outbox_failed on outbox (id) where error is not null;
create index outbox_parked on outbox (sink, parked) where parked is not null;

-- How deliveries to each sink went, as whoever delivers last told.
create table outbox_sinks (
  sink text collate "C" primary key,
  last_success timestamptz,
  last_failure timestamptz,
  last_error text
);
