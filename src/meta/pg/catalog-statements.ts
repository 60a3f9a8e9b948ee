/*
 * The statements of catalog-records.ts. Lists go on behind a key that is never null, so that a plan which is made
 * for all values begins there, too; '' and -infinity sort before all. Their last parameter is the limit; null: none.
 */

/** Teams one after the other, each found by the index, however many repositories it has. The first parameter is the key. */
export const TEAMS_BEHIND = `
  recursive teams (team) as (
    (select r.team from repositories r where r.is_listed and r.team > $1 order by r.team limit 1)
    union all
    select (select r.team from repositories r where r.is_listed and r.team > t.team order by r.team limit 1)
    from teams t where t.team is not null)`;

export const TEAMS = {
  name: 'team-list',
  text: `with ${TEAMS_BEHIND} select team from teams where team is not null limit $2`,
};

export const ARTIFACTS = {
  name: 'artifact-list',
  text: `select artifact from repositories where is_listed and team = $1 and artifact > $2
         order by artifact limit $3`,
};

/** Not a join: PostgreSQL takes a repository for one of ordinary size, and would read all its manifests for a page. */
const SUMMARY = `t.name, t.created, t.created_by,
  coalesce((select m.config_digest from manifests m
            where m.repository_id = t.repository_id and m.digest = t.digest), t.digest) as image`;

/** @param edge what is behind the key, which is the second parameter */
function tagList(name: string, edge: string, direction: 'asc' | 'desc') {
  return {
    name,
    text: `select ${SUMMARY}
         from tags t
         where t.repository_id = (select id from repositories where name = $1)
           and ${edge}
         order by t.repository_id ${direction}, t.created ${direction} limit $3`,
  };
}

const IS_NEWER = 't.created > $2::timestamptz';
const IS_OLDER = 't.created < $2::timestamptz';
const IS_LISTED = "t.mutability <> 'append-only'";

export const LISTED_TAGS = tagList('tag-summaries', `${IS_NEWER} and ${IS_LISTED}`, 'asc');
export const ALL_TAGS = tagList('tag-summaries-all', IS_NEWER, 'asc');
export const NEWEST_LISTED_TAGS = tagList('tag-newest', `${IS_OLDER} and ${IS_LISTED}`, 'desc');
export const NEWEST_TAGS = tagList('tag-newest-all', IS_OLDER, 'desc');

/** An index may list indexes; the same layer in several images is there once. */
const DETAILS = `${SUMMARY}, t.digest, m.media_type, t.mutability, (
  with recursive family (digest) as (
    select t.digest
    union
    select c.child from family f
    join manifest_children c on c.repository_id = t.repository_id and c.manifest = f.digest)
  select coalesce(sum(b.size_bytes), 0)::float8 from blobs b
  where b.digest in (select l.blob from family f
                     join manifests p on p.repository_id = t.repository_id and p.digest = f.digest
                     join manifest_blobs l on l.repository_id = t.repository_id and l.manifest = f.digest
                     where l.blob is distinct from p.config_digest)) as layers_bytes`;

export const TAG_DETAILS = {
  name: 'tag-details',
  text: `select ${DETAILS}
         from repositories r join tags t on t.repository_id = r.id join manifests m using (repository_id, digest)
         where r.name = $1 and t.name = $2`,
};

export const LATEST_DETAILS = {
  name: 'tag-details-latest',
  text: `select ${DETAILS}
         from (select * from tags where repository_id = (select id from repositories where name = $1)
                 and mutability = 'immutable'
               order by created desc limit 1) t
         join manifests m using (repository_id, digest)`,
};

/** A name that has the text in several words comes with the first of them. */
export const SEARCH = {
  name: 'repository-search',
  text: `select w.name, w.word from repository_words w
         where w.word >= $1 and w.word < $2 and (w.word, w.name) > ($3, $4)
           and not exists (select from repository_words other
                           where other.name = w.name and other.word >= $1 and other.word < w.word)
         order by w.word, w.name limit $5`,
};

export const NAMESAKES = {
  name: 'repository-namesakes',
  text: `select name from
           (select name from repositories where is_listed and team = $1
            union select name from repositories where is_listed and artifact = $1) namesakes
         order by name limit $2`,
};

/** Manifests by the first digits of their own digest, or of their config's. */
const MATCHED = `
  select repository_id, digest, coalesce(config_digest, digest) as image from manifests
  where digest >= $1 and digest < $2
  union all
  select repository_id, digest, config_digest from manifests where config_digest >= $1 and config_digest < $2`;

const IS_SHOWN = `($3 or t.mutability <> 'append-only')`;

/** The first that comes: no joins, for which PostgreSQL would read all tags. */
export const ANOTHER_IMAGE = {
  name: 'image-another',
  text: `select m.image from (${MATCHED}) m
         where m.image <> all ($4::text[])
           and ((select true from tags t
                 where t.repository_id = m.repository_id and t.digest = m.digest and ${IS_SHOWN} limit 1)
                or (select true from manifest_children c
                    join tags t on t.repository_id = c.repository_id and t.digest = c.manifest
                    where c.repository_id = m.repository_id and c.child = m.digest and ${IS_SHOWN} limit 1))
         limit 1`,
};

export const TAGS_OF_IMAGES = {
  name: 'image-tags',
  text: `with matched as (${MATCHED})
         select r.name as repository, n.name as tag
         from (select t.repository_id, t.name
               from matched m join tags t using (repository_id, digest) where ${IS_SHOWN}
               union
               select t.repository_id, t.name
               from matched m join manifest_children c on c.repository_id = m.repository_id and c.child = m.digest
               join tags t on t.repository_id = c.repository_id and t.digest = c.manifest where ${IS_SHOWN}) n
         join repositories r on r.id = n.repository_id
         where (r.name, n.name) > ($4, $5)
         order by r.name, n.name limit $6`,
};
