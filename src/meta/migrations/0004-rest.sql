-- What the REST API lists. Counters and words are kept by triggers, so that instances of the release before keep
-- them too.

-- The team is the first segment of a name, the artifact the rest.
alter table repositories
  add column team text collate "C" generated always as (split_part(name, '/', 1)) stored,
  add column artifact text collate "C" generated always as (substr(name, strpos(name, '/') + 1)) stored,
  -- True once a tag other than a signature tag is in it.
  add column is_listed boolean not null default false,
  add column listed_tags bigint not null default 0,
  add column signature_tags bigint not null default 0;

update repositories r
set is_listed = counts.listed > 0, listed_tags = counts.listed, signature_tags = counts.signatures
from (select repository_id, count(*) filter (where mutability <> 'append-only') as listed,
             count(*) filter (where mutability = 'append-only') as signatures
      from tags group by repository_id) counts
where counts.repository_id = r.id;

create index repositories_team on repositories (team, artifact) where is_listed;
create index repositories_artifact on repositories (artifact, team) where is_listed;
create index repositories_team_all on repositories (team);

-- A push holds the lock of its repository's row already: nobody waits for a counter.
create function count_tag() returns trigger language plpgsql as $$
begin
  if new.mutability = 'append-only' then
    update repositories set signature_tags = signature_tags + 1 where id = new.repository_id;
  else
    update repositories set listed_tags = listed_tags + 1, is_listed = true where id = new.repository_id;
  end if;
  return null;
end $$;
create trigger tags_counted after insert on tags for each row execute function count_tag();

-- Tags as the REST API lists them: by age, signature tags left out.
create index tags_listed on tags (repository_id, created) where mutability <> 'append-only';
create index tags_digest on tags (repository_id, digest);

-- From the prefix of an image's digest to its tags.
create index manifests_digest on manifests (digest);
create index manifests_config on manifests (config_digest) where config_digest is not null;

-- The search: each repository's name from each of its words on ('acme/my-app', 'my-app', 'app'), so that what
-- begins with a text is one range of an index.
create table repository_words (
  word text collate "C" not null,
  name text collate "C" not null references repositories (name),
  primary key (word, name)
);
create index repository_words_name on repository_words (name, word);

create function words_of(name text) returns setof text language sql immutable as $$
  select substr(name, n) from generate_series(1, length(name)) n
  where n = 1 or substr(name, n - 1, 1) in ('/', '.', '_', '-') and substr(name, n, 1) not in ('/', '.', '_', '-')
$$;
insert into repository_words (word, name) select distinct words_of(name), name from repositories where is_listed;

create function add_repository_words() returns trigger language plpgsql as $$
begin
  insert into repository_words (word, name) select distinct words_of(new.name), new.name on conflict do nothing;
  return null;
end $$;
create trigger repositories_searched after update of is_listed on repositories
  for each row when (new.is_listed and not old.is_listed) execute function add_repository_words();

-- The audit trail only grows: nobody changes what happened. Repetitions of a refusal are counted, with what the last
-- one met.
create function keep_tag_event() returns trigger language plpgsql as $$
declare
  counted text[] := '{repetitions,last_happened,reason,previous_digest,realm,claims}';
begin
  if tg_op = 'UPDATE' then
    if to_jsonb(new) - counted = to_jsonb(old) - counted and old.kind not in ('created', 'replaced')
       and new.repetitions > old.repetitions and new.last_happened >= old.last_happened then
      return new;
    end if;
  end if;
  raise exception 'tag_events only grows: % is refused', tg_op using errcode = 'insufficient_privilege';
end $$;
-- After: generated columns have no value before.
create trigger tag_events_kept after update or delete on tag_events for each row execute function keep_tag_event();
create trigger tag_events_not_truncated before truncate on tag_events execute function keep_tag_event();

-- Whoever writes events tells so before they get their ids: the lock names the last id that was given before. Readers
-- end their pages below the oldest such lock, so that no event comes to light behind one that they have read.
create function announce_tag_events() returns trigger language plpgsql as $$
begin
  perform pg_advisory_xact_lock_shared(
    72946,
    (select least(case when is_called then last_value else last_value - 1 end, 2147483647)::int from tag_events_id_seq));
  return null;
end $$;
create trigger tag_events_announced before insert on tag_events execute function announce_tag_events();

alter table tag_events
  add column team text collate "C" generated always as (split_part(repository, '/', 1)) stored;
create index tag_events_repository on tag_events (repository, id);
create index tag_events_team on tag_events (team, id);
create index tag_events_uid on tag_events (uid, id);
create index tag_events_kind on tag_events (kind, id);
create index tag_events_happened on tag_events (happened);
