-- Blobs of several segments, for the compactor: one entry for each, whatever their number.
create index blob_segments_fragmented on blob_segments (digest) where number = 1;

-- True since a sweep has decided to delete the object: nothing may name it any more.
alter table deletions add column is_claimed boolean not null default false;
