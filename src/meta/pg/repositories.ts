import type { Digest } from '../../oci/digest.ts';
import type { RepositoryName } from '../../oci/repository-name.ts';
import type { Queryable } from './database.ts';

const ADD = {
  name: 'repository-add',
  text: 'insert into repositories (name) values ($1) on conflict do nothing',
};
const LINK = {
  name: 'blob-link',
  text: `insert into blob_links (repository_id, digest)
         select id, $2 from repositories where name = $1
         on conflict do nothing`,
};
const EXISTS = { name: 'repository-exists', text: 'select 1 from repositories where name = $1' };
const LOCK = {
  name: 'repository-lock',
  text: `insert into repositories (name, last_tagged)
         values ($1, date_trunc('milliseconds', clock_timestamp()))
         on conflict (name) do update
         set last_tagged = greatest(date_trunc('milliseconds', clock_timestamp()),
                                    repositories.last_tagged + $2 * interval '1 ms')
         returning id, last_tagged`,
};

/** Links a blob to a repository, which then exists. The row of the repository isn't locked: layers arrive in parallel. */
export async function linkBlob(
  query: Queryable,
  repository: RepositoryName,
  digest: Digest,
): Promise<void> {
  await query.query(ADD, [repository]);
  await query.query(LINK, [repository, digest]);
}

export async function repositoryExists(query: Queryable, repository: RepositoryName) {
  return (await query.query(EXISTS, [repository])).length === 1;
}

/**
 * Locks the repository's row until the transaction ends, making it when it is missing, and takes `tagCount` times
 * for new tags: the returned one is the last, the others are 1 ms before each other.
 */
export async function lockRepository(
  query: Queryable,
  repository: RepositoryName,
  tagCount: number,
): Promise<{ id: string; lastTagged: Date }> {
  const [row] = await query.query<{ id: string; last_tagged: Date }>(LOCK, [
    repository,
    Math.max(1, tagCount),
  ]);
  if (!row) throw new Error(`the repository ${repository} could not be locked`);
  return { id: row.id, lastTagged: row.last_tagged };
}
