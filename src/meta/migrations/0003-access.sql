-- Who did it: uids are unique per issuer; claims are what a CI system's token says of its run.
alter table tag_events add column issuer text;
alter table tag_events add column claims jsonb;

-- A push that access control refused may concern no tag yet.
alter table tag_events alter column tag drop not null;
alter table tag_events alter column digest drop not null;
alter table tag_events drop constraint tag_events_kind_check;
alter table tag_events add constraint tag_events_kind_check
  check (kind = 'denied' or (kind in ('created', 'replaced', 'refused') and tag is not null and digest is not null));
drop index tag_events_refused;
create unique index tag_events_refused on tag_events (repository, tag, digest, uid, coalesce(issuer, '')) where kind = 'refused';
create unique index tag_events_denied on tag_events (repository, coalesce(tag, ''), uid, coalesce(issuer, '')) where kind = 'denied';

-- The keys that sign registry tokens, shared by all instances: whoever reads this table can make tokens.
create table token_keys (
  -- Rises by one; of instances that add a key at the same time one gets the number.
  number bigint primary key,
  -- What tokens call it.
  id uuid not null unique default gen_random_uuid(),
  secret bytea not null,
  created timestamptz not null default now()
);
