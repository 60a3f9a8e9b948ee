import type { Digest } from '../../oci/digest.ts';
import { LATEST, type Tag } from '../../oci/reference.ts';
import type { RepositoryName } from '../../oci/repository-name.ts';
import {
  type FoundScmSource,
  SCM_ORIGINS,
  type ScmFinding,
  type ScmOrigin,
  type ScmReport,
} from '../../oci/scm-source.ts';
import type { ScmScan, ScmSourceRecords, TimelyScmSource } from '../records/scm-source-records.ts';
import type { Database, Statement } from './database.ts';
import { type SegmentColumns, toDigest, toSegments } from './rows.ts';
import { addSource } from './scm-push.ts';

/** Indexes in indexes are followed so far. */
const MAX_DEPTH = 4;
/** Longer than the transaction that stores a source takes. */
const COMMIT_MS = 1000;

/**
 * What a report on each of `roots` is made of: a row that says that it is there, and one for each finding and each
 * blob whose scan isn't done. Of an index, its images are part of it. `roots` selects repository_id, root, digest.
 */
function reportOn(name: string, roots: string): Statement {
  return {
    name: `scm-report-${name}`,
    text: `with recursive roots as (${roots}),
             images (repository_id, root, digest, depth) as
               (select repository_id, root, digest, 0 from roots
                union
                select i.repository_id, i.root, c.child, i.depth + 1
                from images i join manifest_children c on c.repository_id = i.repository_id and c.manifest = i.digest
                where i.depth < ${MAX_DEPTH}),
             parts (root, digest, depth, layer) as
               (select root, digest, depth, null::int from images
                union all
                select i.root, b.blob, i.depth, b.layer
                from images i join manifest_blobs b on b.repository_id = i.repository_id and b.manifest = i.digest)
           select root, null as digest, null as origin, null as url, null as revision, null as author, null as status,
                  null as invalid, null::timestamptz as created, null as state, null as reason,
                  0 as depth, null::int as layer
           from roots
           union all
           select r.root, s.digest, 'header', s.url, s.revision, s.author, s.status, null, s.created, null, null, 0, null
           from roots r join scm_tag_sources s on s.repository_id = r.repository_id and s.tag = r.root and s.digest = r.digest
           union all
           select p.root, p.digest, s.origin, s.url, s.revision, s.author, s.status, s.invalid, s.created, null, null,
                  p.depth, p.layer
           from parts p join scm_sources s on s.digest = p.digest
           union all
           select p.root, p.digest, null, null, null, null, null, null, null, q.state, q.reason, p.depth, p.layer
           from parts p join scm_scans q on q.digest = p.digest
           where q.state <> 'done'`,
  };
}

const OF_TAGS = reportOn(
  'tags',
  `select t.repository_id, t.name as root, t.digest from repositories r join tags t on t.repository_id = r.id
   where r.name = $1 and t.name = any($2::text[])`,
);
const OF_LATEST = reportOn(
  'latest',
  `(select t.repository_id, t.name as root, t.digest from repositories r join tags t on t.repository_id = r.id
    where r.name = $1 and t.mutability = 'immutable' order by t.created desc limit 1)`,
);
const OF_MANIFEST = reportOn(
  'manifest',
  `select m.repository_id, m.digest as root, m.digest from repositories r join manifests m on m.repository_id = r.id
   where r.name = $1 and m.digest = $2`,
);
const OF_PUSH = reportOn(
  'push',
  `select m.repository_id, $2::text as root, m.digest
   from repositories r join manifests m on m.repository_id = r.id
   where r.name = $1 and m.digest = $3`,
);
/** Asked before the report: a source whose transaction began in time is committed by then. */
const IS_OVER = {
  name: 'scm-time-is-over',
  text: `select now() > $1::timestamptz + interval '${COMMIT_MS} ms' as "isOver"`,
};
const CLAIM = {
  name: 'scm-scan-claim',
  text: `with claimed as
           (update scm_scans set due = now() + $3 * interval '1 ms', attempts = attempts + 1
            where digest = (select digest from scm_scans
                            where state = 'due' and due <= now() and size_bytes > $1 and size_bytes <= $2
                            order by size_bytes limit 1 for update skip locked)
            returning digest, attempts)
         select c.digest, c.attempts,
                array(select s.key from blob_segments s where s.digest = c.digest order by s.number) as keys,
                array(select s.size_bytes::float8 from blob_segments s where s.digest = c.digest
                      order by s.number) as sizes
         from claimed c`,
};
const RENEW = {
  name: 'scm-scan-renew',
  text: `update scm_scans set due = now() + $2 * interval '1 ms' where digest = $1 and state = 'due'`,
};
const END = {
  name: 'scm-scan-end',
  text: `update scm_scans set state = $2, reason = $3 where digest = $1 and state = 'due'`,
};
const POSTPONE = {
  name: 'scm-scan-postpone',
  text: `update scm_scans set due = now() + $2 * interval '1 ms', attempts = attempts - case when $3 then 0 else 1 end
         where digest = $1 and state = 'due'`,
};

interface ReportRow {
  readonly root: string;
  readonly digest: string | null;
  readonly origin: ScmOrigin | null;
  readonly url: string | null;
  readonly revision: string | null;
  readonly author: string | null;
  readonly status: string | null;
  readonly invalid: string | null;
  readonly created: Date | null;
  readonly state: 'due' | 'failed' | null;
  readonly reason: string | null;
  readonly depth: number;
  readonly layer: number | null;
}

export class PgScmSourceRecords implements ScmSourceRecords {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  async ofTag(repository: RepositoryName, tag: Tag): Promise<ScmReport | undefined> {
    const reports =
      tag === LATEST
        ? await this.#report(OF_LATEST, [repository])
        : await this.ofTags(repository, [tag]);
    return reports.values().next().value;
  }

  ofTags(repository: RepositoryName, tags: readonly Tag[]): Promise<Map<string, ScmReport>> {
    return this.#report(OF_TAGS, [repository, tags]);
  }

  async ofManifest(repository: RepositoryName, digest: Digest): Promise<ScmReport | undefined> {
    return (await this.#report(OF_MANIFEST, [repository, digest])).get(digest);
  }

  async foundInTime(
    repository: RepositoryName,
    tag: Tag,
    digest: Digest,
    until: Date,
  ): Promise<TimelyScmSource> {
    const [clock] = await this.#database.query<{ isOver: boolean }>(IS_OVER, [until]);
    const rows = await this.#database.query<ReportRow>(OF_PUSH, [repository, tag, digest]);
    const timely = rows.filter(({ created }) => !created || created <= until);
    const { source, pending } = reportFrom(timely);
    return { isDecided: pending === 0 || clock?.isOver === true, source };
  }

  async claimScan(
    overBytes: number,
    upToBytes: number,
    claimMs: number,
  ): Promise<ScmScan | undefined> {
    const [row] = await this.#database.query<SegmentColumns & { digest: string; attempts: number }>(
      CLAIM,
      [overBytes, upToBytes, claimMs],
    );
    if (!row) return undefined;
    const { attempts } = row;
    return { digest: toDigest(row.digest), segments: toSegments(row), attempts };
  }

  async renewClaim(digest: Digest, claimMs: number): Promise<void> {
    await this.#database.query(RENEW, [digest, claimMs]);
  }

  async endScan(
    digest: Digest,
    found: { readonly origin: 'file' | 'label'; readonly finding: ScmFinding } | undefined,
  ): Promise<void> {
    await this.#database.transaction(async (query) => {
      if (found) addSource(query, digest, found.origin, found.finding);
      await query.query(END, [digest, 'done', null]);
    });
  }

  async failScan(digest: Digest, reason: string): Promise<void> {
    await this.#database.query(END, [digest, 'failed', reason]);
  }

  async postponeScan(digest: Digest, forMs: number, counts: boolean): Promise<void> {
    await this.#database.query(POSTPONE, [digest, forMs, counts]);
  }

  async #report(statement: Statement, values: unknown[]): Promise<Map<string, ScmReport>> {
    const rows = await this.#database.query<ReportRow>(statement, values);
    const reports = new Map<string, ScmReport>();
    for (const [root, parts] of groupByRoot(rows)) reports.set(root, reportFrom(parts));
    return reports;
  }
}

function groupByRoot(rows: readonly ReportRow[]): Map<string, ReportRow[]> {
  const groups = new Map<string, ReportRow[]>();
  for (const row of rows) {
    const group = groups.get(row.root);
    if (group) group.push(row);
    else groups.set(row.root, [row]);
  }
  return groups;
}

/** A layer may be in several images of an index: each digest counts once, where it counts most. */
function reportFrom(rows: readonly ReportRow[]): ScmReport {
  const parts = onePerDigest(rows.toSorted(byPrecedence));
  return {
    source: parts.flatMap(toSource)[0],
    invalid: parts.flatMap(({ origin, digest, invalid: reason }) =>
      origin && digest && reason !== null ? [{ origin, digest: toDigest(digest), reason }] : [],
    ),
    failed: parts.flatMap(({ state, digest, reason }) =>
      state === 'failed' && digest ? [{ digest: toDigest(digest), reason: reason ?? '' }] : [],
    ),
    pending: parts.filter(({ state }) => state === 'due').length,
  };
}

function onePerDigest(rows: readonly ReportRow[]): ReportRow[] {
  const seen = new Set<string>();
  return rows.filter(({ digest, origin, state }) => {
    const key = `${digest} ${origin} ${state}`;
    const isNew = !seen.has(key);
    seen.add(key);
    return isNew;
  });
}

function byPrecedence(a: ReportRow, b: ReportRow): number {
  return (
    rankOf(a) - rankOf(b) ||
    a.depth - b.depth ||
    (b.layer ?? -1) - (a.layer ?? -1) ||
    ((a.digest ?? '') < (b.digest ?? '') ? -1 : 1)
  );
}

function rankOf({ origin }: ReportRow): number {
  return origin ? SCM_ORIGINS.indexOf(origin) : SCM_ORIGINS.length;
}

function toSource(row: ReportRow): FoundScmSource[] {
  const { origin, digest, url, revision, author, status, created } = row;
  if (!origin || !digest || url === null || revision === null) return [];
  if (author === null || status === null || !created) return [];
  return [{ origin, digest: toDigest(digest), url, revision, author, status, created }];
}
