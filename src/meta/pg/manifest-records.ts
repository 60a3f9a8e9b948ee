import type { Digest } from '../../oci/digest.ts';
import type { Page } from '../../oci/page.ts';
import { LATEST, type Tag } from '../../oci/reference.ts';
import type { Referrer } from '../../oci/referrer.ts';
import type { RepositoryName } from '../../oci/repository-name.ts';
import { referrersTag } from '../../oci/tag-rule.ts';
import type {
  ManifestPush,
  ManifestPushResult,
  ManifestRecord,
  ManifestRecords,
  TagList,
  TagRecord,
} from '../records/manifest-records.ts';
import { type EventRouting, NO_SINKS } from '../records/outbox-records.ts';
import type { Database } from './database.ts';
import { type PushRules, pushManifest } from './manifest-push.ts';
import { toDigest, toMediaType } from './rows.ts';

/** Of the manifests on one page of referrers, together. */
const MAX_REFERRER_BYTES = 8 * 1024 * 1024;

const FIND = {
  name: 'manifest-find',
  text: `select m.media_type, m.bytes from repositories r join manifests m on m.repository_id = r.id
         where r.name = $1 and m.digest = $2`,
};
const FIND_TAG = {
  name: 'tag-find',
  text: `select t.digest, t.mutability = 'immutable' as is_immutable
         from repositories r join tags t on t.repository_id = r.id
         where r.name = $1 and t.name = $2`,
};
const FIND_LATEST = {
  name: 'tag-find-latest',
  text: `select t.digest, false as is_immutable from repositories r join tags t on t.repository_id = r.id
         where r.name = $1 and t.mutability = 'immutable'
         order by t.created desc limit 1`,
};
export const LIST_TAGS = {
  name: 'tag-list',
  // In this form the index gives the page in order, also to a plan that is made once for all values. No name has a space.
  text: `select r.last_tagged::text as version,
                array_to_string(array(select t.name from tags t where t.repository_id = r.id and t.name > $2
                                      order by t.name limit $3), ' ') as names
         from repositories r where r.name = $1`,
};
const TAGS_VERSION = {
  name: 'tag-list-version',
  text: 'select last_tagged::text as version from repositories where name = $1',
};
const LIST_REFERRERS = {
  name: 'referrer-list',
  // Those that name the subject, and the children of the index under its referrers tag, which clients push that
  // don't count on this list. The sum bounds what is read at once: annotations may be as large as a manifest.
  text: `select digest, media_type, size, artifact_type, annotations, count > number as has_more
         from (select m.*, length(m.bytes) as size, count(*) over () as count,
                      row_number() over (order by m.created, m.digest) as number,
                      sum(length(m.bytes)) over (order by m.created, m.digest) as total
               from repositories r join manifests m on m.repository_id = r.id
               where r.name = $1 and ($3::text is null or m.artifact_type = $3)
                 and m.digest in
                     (select s.digest from manifests s where s.repository_id = r.id and s.subject = $2
                      union
                      select c.child from tags t
                      join manifest_children c on c.repository_id = t.repository_id and c.manifest = t.digest
                      where t.repository_id = r.id and t.name = $6)
                 and ($4::text is null or (m.created, m.digest) >
                      (select l.created, l.digest from manifests l
                       where l.repository_id = r.id and l.digest = $4))) page
         where number = 1 or (number <= $5 and total <= ${MAX_REFERRER_BYTES})
         order by number`,
};
export const LIST_REPOSITORIES = {
  name: 'repository-list',
  text: `select r.name from repositories r
         where r.name > $1
           and exists (select from manifests m where m.repository_id = r.id)
         order by r.name limit $2`,
};

interface TagRow {
  digest: string;
  is_immutable: boolean;
}

interface ReferrerRow {
  digest: string;
  media_type: string;
  size: number;
  has_more: boolean;
  artifact_type: string | null;
  annotations: Record<string, string> | null;
}

export class PgManifestRecords implements ManifestRecords {
  readonly #database: Database;
  readonly #rules: PushRules;

  constructor(
    database: Database,
    isMutableTag: (tag: Tag) => boolean,
    routing: EventRouting = NO_SINKS,
  ) {
    this.#database = database;
    this.#rules = { isMutableTag, routing };
  }

  async push(push: ManifestPush): Promise<ManifestPushResult> {
    const result = await pushManifest(this.#database, push, this.#rules);
    if (result.kind !== 'missing') this.#rules.routing.committed(push.repository);
    return result;
  }

  async find(repository: RepositoryName, digest: Digest): Promise<ManifestRecord | undefined> {
    const rows = await this.#database.query<{ media_type: string; bytes: Buffer }>(FIND, [
      repository,
      digest,
    ]);
    const row = rows[0];
    return row && { digest, mediaType: toMediaType(row.media_type), bytes: row.bytes };
  }

  async findTag(repository: RepositoryName, tag: Tag): Promise<TagRecord | undefined> {
    const [row] =
      tag === LATEST
        ? await this.#database.query<TagRow>(FIND_LATEST, [repository])
        : await this.#database.query<TagRow>(FIND_TAG, [repository, tag]);
    return row && { digest: toDigest(row.digest), isImmutable: row.is_immutable };
  }

  async listTags(repository: RepositoryName, page: Page): Promise<TagList | undefined> {
    const values = [repository, page.last ?? '', page.limit];
    const [row] = await this.#database.query<{ version: string; names: string }>(LIST_TAGS, values);
    if (!row) return undefined;
    return { version: row.version, names: row.names === '' ? [] : row.names.split(' ') };
  }

  async tagsVersion(repository: RepositoryName): Promise<string | undefined> {
    const [row] = await this.#database.query<{ version: string }>(TAGS_VERSION, [repository]);
    return row?.version;
  }

  async listReferrers(
    repository: RepositoryName,
    subject: Digest,
    artifactType: string | undefined,
    page: Page,
  ): Promise<{ referrers: Referrer[]; hasMore: boolean }> {
    const rows = await this.#database.query<ReferrerRow>(LIST_REFERRERS, [
      repository,
      subject,
      artifactType ?? null,
      page.last ?? null,
      page.limit,
      referrersTag(subject),
    ]);
    const referrers = rows.map((row) => ({
      digest: toDigest(row.digest),
      mediaType: toMediaType(row.media_type),
      sizeBytes: row.size,
      artifactType: row.artifact_type ?? undefined,
      annotations: row.annotations ?? undefined,
    }));
    return { referrers, hasMore: rows.at(-1)?.has_more ?? false };
  }

  async listRepositories(page: Page): Promise<string[]> {
    const values = [page.last ?? '', page.limit];
    const rows = await this.#database.query<{ name: string }>(LIST_REPOSITORIES, values);
    return rows.map((row) => row.name);
  }
}
