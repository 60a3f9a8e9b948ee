import { sql } from './test-registry.ts';

export const MANY_TAGS = 'team-000/many-tags';

/** Rows as pushes would have made them, in one go: counters and words are what the triggers would have made. */
export async function generateCatalog(
  url: string,
  { repositories, tags }: { readonly repositories: number; readonly tags: number },
): Promise<void> {
  await sql(
    url,
    `insert into repositories (name)
     select 'team-' || lpad((n % 200)::text, 3, '0') || '/artifact-' || n from generate_series(1, $1::int) n`,
    [repositories],
  );
  await sql(url, 'insert into repositories (name) values ($1)', [MANY_TAGS]);
  await sql(
    url,
    `insert into manifests (repository_id, digest, media_type, bytes, config_digest, created_by)
     select id, 'sha256:' || encode(sha256(name::bytea), 'hex'), 'application/vnd.oci.image.manifest.v1+json', '{}',
            'sha256:' || encode(sha256(('config ' || name)::bytea), 'hex'), 'tester' from repositories`,
  );
  await sql(
    url,
    `insert into tags (repository_id, name, digest, mutability, created, created_by)
     select id, '1.0', 'sha256:' || encode(sha256(name::bytea), 'hex'), 'immutable', now(), 'tester' from repositories`,
  );
  await generateTags(url, tags);
  await sql(url, 'vacuum analyze');
}

/** One in ten is a signature's. The trigger that counts would look at each version of the repository's row. */
async function generateTags(url: string, tags: number): Promise<void> {
  await sql(url, 'alter table tags disable trigger tags_counted');
  await sql(
    url,
    `insert into manifests (repository_id, digest, media_type, bytes, config_digest, created_by)
     select r.id, 'sha256:' || encode(sha256(('tag ' || n)::bytea), 'hex'),
            'application/vnd.oci.image.manifest.v1+json', '{}',
            'sha256:' || encode(sha256(('config ' || n)::bytea), 'hex'), 'tester'
     from repositories r, generate_series(1, $2::int) n where r.name = $1`,
    [MANY_TAGS, tags],
  );
  await sql(
    url,
    `insert into tags (repository_id, name, digest, mutability, created, created_by)
     select r.id, 'tag-' || n, 'sha256:' || encode(sha256(('tag ' || n)::bytea), 'hex'),
            case when n % 10 = 0 then 'append-only' else 'immutable' end,
            '2020-01-01T00:00:00Z'::timestamptz + n * interval '1 s', 'tester'
     from repositories r, generate_series(1, $2::int) n where r.name = $1`,
    [MANY_TAGS, tags],
  );
  await sql(url, 'alter table tags enable trigger tags_counted');
}

/** Created by one team after the other, a year of them. */
export async function generateEvents(url: string, events: number): Promise<void> {
  await sql(
    url,
    `insert into tag_events (repository, tag, kind, digest, uid, happened, last_happened)
     select 'team-' || lpad((n % 200)::text, 3, '0') || '/artifact-' || n, '1.0', 'created',
            'sha256:' || encode(sha256(n::text::bytea), 'hex'), 'user-' || n % 50, at, at
     from generate_series(1, $1::int) n,
          lateral (select '2020-01-01T00:00:00Z'::timestamptz + n * interval '5 min') t (at)`,
    [events],
  );
  await sql(url, 'vacuum analyze');
}
