-- The place of a layer among its manifest's, the lowest first; null for configs, and for what was pushed before this.
alter table manifest_blobs add column layer int;

-- Blobs of manifests, in which a source is looked for once for all.
create table scm_scans (
  digest text collate "C" primary key references blobs on delete cascade,
  size_bytes bigint not null,
  -- failed: it can't be read, or was tried too often; the reason says more.
  state text not null default 'due' check (state in ('due', 'done', 'failed')),
  -- While a scan is under way, when another instance may take it over.
  due timestamptz not null default now(),
  attempts int not null default 0,
  reason text
);
create index scm_scans_due on scm_scans (size_bytes) where state = 'due';
insert into scm_scans (digest, size_bytes)
select digest, size_bytes from blobs where digest in (select blob from manifest_blobs);

-- Sources as content says them: a layer's file, a manifest's annotations, a config's labels.
create table scm_sources (
  digest text collate "C" primary key,
  origin text not null check (origin in ('file', 'annotation', 'label')),
  url text,
  revision text,
  author text,
  status text,
  -- Why it is none.
  invalid text,
  created timestamptz not null default now(),
  check (num_nonnulls(url, revision, author, status) = case when invalid is null then 4 else 0 end)
);

-- Sources as a header of the push said them, of the tag as long as it names this digest.
create table scm_tag_sources (
  repository_id bigint not null,
  tag text collate "C" not null,
  digest text collate "C" not null,
  url text not null,
  revision text not null,
  author text not null,
  status text not null,
  created timestamptz not null default now(),
  primary key (repository_id, tag),
  foreign key (repository_id, tag) references tags
);
