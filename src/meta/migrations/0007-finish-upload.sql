-- The closing PUT in one round trip: the blob with its segments, or the existing one, its link to the repository, and the
-- upload as finished. Each statement sees what others committed before it. False: it isn't open, or has another length.
create function finish_upload(upload uuid, length_bytes bigint, blob_digest text, kept_for interval) returns boolean
language plpgsql as $$
declare
  repository_name text;
  is_new boolean;
begin
  update uploads
  set finished_digest = blob_digest, digest_engine = null, digest_state = null, expires = now() + kept_for
  where id = upload and offset_bytes = length_bytes and finished_digest is null
  returning repository into repository_name;
  if not found then
    return false;
  end if;
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
  insert into repositories (name) values (repository_name) on conflict do nothing;
  insert into blob_links (repository_id, digest)
  select id, blob_digest from repositories where name = repository_name
  on conflict do nothing;
  return true;
end
$$;

-- All of a closing PUT that has no body, where no append holds the lock and the digest of all bytes is known to be the one that
-- is wanted. Returns the number of bytes; null: nothing was changed.
create function close_upload(upload uuid, in_repository text, blob_digest text, kept_for interval, append_lock bigint) returns bigint
language plpgsql as $$
declare
  length_bytes bigint;
begin
  if not pg_try_advisory_xact_lock(append_lock) then
    return null;
  end if;
  select offset_bytes into length_bytes from uploads
  where id = upload and repository = in_repository and digest = blob_digest and offset_bytes > 0 and expires > now()
  for update;
  if found and finish_upload(upload, length_bytes, blob_digest, kept_for) then
    return length_bytes;
  end if;
  return null;
end
$$;
