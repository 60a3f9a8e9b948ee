-- Names and digests are compared by bytes (collation C), as the distribution spec sorts them.

-- One row: which registry this is. The blob store carries the same id.
create table registry (
  id uuid not null default gen_random_uuid(),
  created timestamptz not null default now(),
  is_only_row boolean primary key default true check (is_only_row)
);
insert into registry default values;

-- A repository exists once a blob or a manifest is committed in it.
create table repositories (
  id bigint generated always as identity primary key,
  name text collate "C" not null unique,
  -- The time of the newest tag. The row's lock and this column make tags.created strictly rising.
  last_tagged timestamptz not null default '-infinity'
);

create table blobs (
  digest text collate "C" primary key,
  size_bytes bigint not null check (size_bytes >= 0),
  created timestamptz not null default now(),
  last_used timestamptz not null default now()
);

-- The objects that hold a blob's bytes, in order.
create table blob_segments (
  digest text collate "C" not null references blobs,
  number int not null,
  key text collate "C" not null unique,
  size_bytes bigint not null check (size_bytes > 0),
  primary key (digest, number)
);

-- A blob can be read through the repositories that link it.
create table blob_links (
  repository_id bigint not null references repositories,
  digest text collate "C" not null references blobs,
  created timestamptz not null default now(),
  primary key (repository_id, digest)
);
create index blob_links_digest on blob_links (digest);

-- An unfinished push of a blob; finished ones stay for a day, so that a repeated closing PUT is answered again.
create table uploads (
  id uuid primary key,
  repository text collate "C" not null,
  algorithm text not null,
  offset_bytes bigint not null default 0,
  -- What is known of the digest of the first offset_bytes.
  digest text collate "C",
  digest_engine text,
  digest_state bytea,
  finished_digest text collate "C",
  created timestamptz not null default now(),
  created_by text not null,
  expires timestamptz not null
);
create index uploads_expires on uploads (expires);

create table upload_segments (
  upload_id uuid not null references uploads on delete cascade,
  number int not null,
  key text collate "C" not null unique,
  size_bytes bigint not null check (size_bytes > 0),
  primary key (upload_id, number)
);

create table manifests (
  repository_id bigint not null references repositories,
  digest text collate "C" not null,
  media_type text not null,
  bytes bytea not null,
  config_digest text collate "C",
  subject text collate "C",
  artifact_type text,
  -- Not jsonb, which can't hold every string that JSON has.
  annotations json,
  created timestamptz not null default clock_timestamp(),
  created_by text not null,
  primary key (repository_id, digest)
);
create index manifests_subject on manifests (repository_id, subject, created) where subject is not null;

-- What a manifest needs to stay complete; the keys keep it from being removed.
create table manifest_blobs (
  repository_id bigint not null,
  manifest text collate "C" not null,
  blob text collate "C" not null,
  primary key (repository_id, manifest, blob),
  foreign key (repository_id, manifest) references manifests,
  foreign key (repository_id, blob) references blob_links
);
create index manifest_blobs_blob on manifest_blobs (repository_id, blob);

create table manifest_children (
  repository_id bigint not null,
  manifest text collate "C" not null,
  child text collate "C" not null,
  primary key (repository_id, manifest, child),
  foreign key (repository_id, manifest) references manifests,
  foreign key (repository_id, child) references manifests
);
create index manifest_children_child on manifest_children (repository_id, child);

create table tags (
  repository_id bigint not null,
  name text collate "C" not null,
  digest text collate "C" not null,
  -- Fixed when the tag is created.
  mutability text not null check (mutability in ('immutable', 'mutable', 'append-only')),
  created timestamptz not null,
  created_by text not null,
  primary key (repository_id, name),
  foreign key (repository_id, digest) references manifests
);
create unique index tags_created on tags (repository_id, created);
-- What latest means.
create index tags_latest on tags (repository_id, created desc) where mutability = 'immutable';

-- The audit trail. Repeated refusals of the same push are counted in one row.
create table tag_events (
  id bigint generated always as identity primary key,
  repository text collate "C" not null,
  tag text collate "C" not null,
  kind text not null check (kind in ('created', 'replaced', 'refused')),
  digest text collate "C" not null,
  previous_digest text collate "C",
  reason text,
  uid text not null,
  realm text,
  happened timestamptz not null default clock_timestamp(),
  repetitions int not null default 1,
  last_happened timestamptz not null default clock_timestamp()
);
create index tag_events_tag on tag_events (repository, tag, id);
create unique index tag_events_refused on tag_events (repository, tag, digest, uid) where kind = 'refused';

-- Objects to delete from the store, after a grace in which readers may still hold their place.
create table deletions (
  key text collate "C" primary key,
  since timestamptz not null default now()
);
create index deletions_since on deletions (since);
