-- An upload gets its row with its first bytes, since its id tells all there is to know before. So that no id begins twice, the
-- row of one that was discarded stays for a while, as that of a finished one does.
alter table uploads add column is_discarded boolean not null default false;

-- The blob with an upload's segments, or the existing one, and its link to the repository. Each statement sees what others
-- committed before it.
create function add_blob(upload uuid, repository_name text, blob_digest text, length_bytes bigint) returns void
language plpgsql as $$
declare
  is_new boolean;
begin
  insert into blobs (digest, size_bytes) values (blob_digest, length_bytes)
  on conflict (digest) do update set last_used = now()
  returning xmax = 0 into is_new;
  if is_new then
    insert into blob_segments (digest, number, key, size_bytes)
    select blob_digest, number, key, size_bytes from upload_segments where upload_id = upload;
  else
    insert into deletions (key) select key from upload_segments where upload_id = upload on conflict do nothing;
  end if;
  delete from upload_segments where upload_id = upload;
  -- The repository's row isn't locked: layers arrive in parallel.
  if not exists (select from repositories where name = repository_name) then
    insert into repositories (name) values (repository_name) on conflict do nothing;
  end if;
  insert into blob_links (repository_id, digest)
  select id, blob_digest from repositories where name = repository_name
  on conflict do nothing;
end
$$;

create or replace function finish_upload(upload uuid, length_bytes bigint, blob_digest text, kept_for interval) returns boolean
language plpgsql as $$
declare
  repository_name text;
begin
  update uploads
  set finished_digest = blob_digest, digest_engine = null, digest_state = null, expires = now() + kept_for
  where id = upload and offset_bytes = length_bytes and finished_digest is null and not is_discarded
  returning repository into repository_name;
  if not found then
    return false;
  end if;
  perform add_blob(upload, repository_name, blob_digest, length_bytes);
  return true;
end
$$;

create or replace function close_upload(upload uuid, in_repository text, blob_digest text, kept_for interval, append_lock bigint) returns bigint
language plpgsql as $$
declare
  length_bytes bigint;
begin
  if not pg_try_advisory_xact_lock(append_lock) then
    return null;
  end if;
  update uploads
  set finished_digest = blob_digest, digest_engine = null, digest_state = null, expires = now() + kept_for
  where id = upload and repository = in_repository and digest = blob_digest and offset_bytes > 0 and expires > now()
    and finished_digest is null and not is_discarded
  returning offset_bytes into length_bytes;
  if found then
    perform add_blob(upload, in_repository, blob_digest, length_bytes);
  end if;
  return length_bytes;
end
$$;

-- All of a closing PUT with a small body, whose digest is the one that is wanted, to an upload without a row. False: it has one, an append
-- holds the lock, or the segment's object is being deleted.
create function put_upload(upload uuid, repository_name text, digest_algorithm text, pushed_by text, kept_for interval,
                           segment_key text, length_bytes bigint, blob_digest text, append_lock bigint) returns boolean
language plpgsql as $$
declare
  is_deleted boolean;
begin
  if not pg_try_advisory_xact_lock(append_lock) then
    return false;
  end if;
  delete from deletions where key = segment_key returning is_claimed into is_deleted;
  if is_deleted then
    return false;
  end if;
  insert into uploads (id, repository, algorithm, created_by, offset_bytes, digest, finished_digest, expires)
  values (upload, repository_name, digest_algorithm, pushed_by, length_bytes, blob_digest, blob_digest, now() + kept_for)
  on conflict do nothing;
  if not found then
    return false;
  end if;
  insert into upload_segments (upload_id, number, key, size_bytes) values (upload, 0, segment_key, length_bytes);
  perform add_blob(upload, repository_name, blob_digest, length_bytes);
  return true;
end
$$;
