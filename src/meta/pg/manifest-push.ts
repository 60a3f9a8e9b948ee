import type { Digest } from '../../oci/digest.ts';
import { parseManifest } from '../../oci/manifest.ts';
import { LATEST, type Tag } from '../../oci/reference.ts';
import { decideTag, type Mutability, type TagDecision, type TagState } from '../../oci/tag-rule.ts';
import type { ManifestPush, ManifestPushResult } from '../records/manifest-records.ts';
import type { EventRouting } from '../records/outbox-records.ts';
import type { Database, Queryable, TransactionQueryable } from './database.ts';
import { outboxParameters, REPEATED_AFTER, withOutbox } from './outbox-statements.ts';
import { lockRepository } from './repositories.ts';
import { principalColumns, toDigest } from './rows.ts';
import { addAnnotatedSource, setTagSources } from './scm-push.ts';

/**
 * What the push references and the repository doesn't have, with each of the tags that there are; one row without a tag else.
 * Each is looked up by its whole key: of joins, PostgreSQL would read all rows of the repository while it takes that for a small one.
 */
const STATE = {
  name: 'manifest-push-state',
  text: `select array(
                  select wanted.digest from unnest($2::text[]) as wanted (digest)
                  where (select l.digest from blob_links l where l.repository_id = r.id and l.digest = wanted.digest) is null
                  union
                  select wanted.digest from unnest($3::text[]) as wanted (digest)
                  where (select m.digest from manifests m where m.repository_id = r.id and m.digest = wanted.digest) is null
                ) as missing,
                t.name, t.digest, t.mutability, m.media_type, case when t.mutability = 'append-only' then m.bytes end as bytes
         from repositories r
         left join (
           unnest($4::text[]) as wanted (name)
           cross join lateral (select * from tags where repository_id = r.id and name = wanted.name limit 1) t
           cross join lateral (
             select media_type, bytes from manifests where repository_id = t.repository_id and digest = t.digest limit 1
           ) m
         ) on true
         where r.name = $1`,
};
const LATEST_TAG = {
  name: 'tag-state-latest',
  text: `select t.digest, t.mutability, m.media_type,
                case when t.mutability = 'append-only' then m.bytes end as bytes
         from tags t join manifests m using (repository_id, digest)
         where t.repository_id = $1 and t.mutability = 'immutable'
         order by t.created desc limit 1`,
};
/** With what it references, in one statement: nothing of it if the manifest is there already. */
const ADD_MANIFEST = {
  name: 'manifest-add',
  text: `with added as (
           insert into manifests (repository_id, digest, media_type, bytes, config_digest, subject, artifact_type,
                                  annotations, created_by)
           values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
           on conflict do nothing
           returning digest
         ),
         children as (
           insert into manifest_children (repository_id, manifest, child)
           select $1, added.digest, child from added cross join unnest($12::text[]) as child
         ),
         referenced as (
           insert into manifest_blobs (repository_id, manifest, blob, layer)
           select $1, added.digest, blob, layer
           from added cross join unnest($10::text[], $11::int[]) as wanted (blob, layer)
         )
         insert into scm_scans (digest, size_bytes)
         select b.digest, b.size_bytes from blobs b cross join added where b.digest = any($10) order by b.digest
         on conflict do nothing`,
};
const EVENT = `insert into tag_events (uid, realm, issuer, claims, repository, tag, kind, digest, previous_digest)
               values ($1, $2, $3, $4, $5, $6, $7, $8, $9) returning *`;
const ADD_TAG = {
  name: 'tag-add',
  text: withOutbox(
    EVENT,
    10,
    'true',
    `insert into tags (repository_id, name, digest, mutability, created, created_by)
     values ($14, $6, $8, $15, $16, $1)`,
  ),
};
const REPLACE_TAG = {
  name: 'tag-replace',
  text: withOutbox(
    EVENT,
    10,
    'true',
    'update tags set digest = $8, created = $15, created_by = $1 where repository_id = $14 and name = $6',
  ),
};
const ADD_REFUSAL = {
  name: 'tag-event-refused',
  text: withOutbox(
    `insert into tag_events (uid, realm, issuer, claims, repository, tag, kind, digest, previous_digest, reason)
     values ($1, $2, $3, $4, $5, $6, 'refused', $7, $8, $9)
     on conflict (repository, tag, digest, uid, coalesce(issuer, '')) where kind = 'refused' do update
     set repetitions = least(tag_events.repetitions, 2147483646) + 1, last_happened = clock_timestamp(),
         reason = excluded.reason, previous_digest = excluded.previous_digest
     returning *`,
    10,
    `not exists (select from tag_events b
                 where b.kind = 'refused' and b.repository = $5 and b.tag = $6 and b.digest = $7 and b.uid = $1
                   and coalesce(b.issuer, '') = coalesce($3::text, '') and ${REPEATED_AFTER})`,
  ),
};

interface TagRow {
  digest: string;
  mutability: Mutability;
  /** Of append-only tags alone. */
  bytes: Buffer | null;
  media_type: string;
}

interface StateRow extends TagRow {
  readonly missing: readonly string[];
  /** Null: none of the tags is there. */
  readonly name: string | null;
}

export interface PushRules {
  /** Which names make a new tag mutable. */
  readonly isMutableTag: (tag: Tag) => boolean;
  readonly routing: EventRouting;
}

interface RoutedPush {
  readonly push: ManifestPush;
  readonly routing: EventRouting;
}

interface Decided {
  readonly tag: Tag;
  readonly current: TagState | undefined;
  readonly decision: TagDecision;
}

interface Refused {
  readonly tag: Tag;
  readonly message: string;
  readonly previous: Digest | undefined;
}

type Attempt =
  | Exclude<ManifestPushResult, { kind: 'refused' }>
  | { readonly kind: 'refused'; readonly refused: readonly Refused[] };

/**
 * The manifest PUT. Locks are taken in the order repository, blobs, manifest, tags. A refused push is rolled back
 * as a whole; its events are committed after that, on their own.
 */
export async function pushManifest(
  database: Database,
  push: ManifestPush,
  { isMutableTag, routing }: PushRules,
): Promise<ManifestPushResult> {
  const attempt = await database.transaction<Attempt>(async (query, rollback) => {
    // At once, one after the other: what is found is found under the lock.
    const [{ id, lastTagged }, rows] = await Promise.all([
      lockRepository(query, push.repository, push.tags.length),
      findState(query, push),
    ]);
    const { missing, tags } = await readState(query, id, push, rows);
    if (missing.length > 0) return rollback({ kind: 'missing', digests: missing });
    const decided = decideTags(tags, push, isMutableTag);
    const refused = refusedOf(decided);
    if (refused.length > 0) return rollback({ kind: 'refused', refused });
    addManifest(query, id, push);
    setTags(query, id, { push, routing }, decided, lastTagged);
    setTagSources(query, id, push);
    return { kind: 'stored' };
  });
  if (attempt.kind !== 'refused') return attempt;
  await recordRefusals(database, { push, routing }, attempt.refused);
  return { kind: 'refused', refusals: attempt.refused };
}

function findState(query: Queryable, { repository, manifest, tags }: ManifestPush) {
  return query.query<StateRow>(STATE, [repository, manifest.blobs, manifest.manifests, tags]);
}

async function readState(query: Queryable, id: string, push: ManifestPush, rows: StateRow[]) {
  const tags = new Map<string, TagState>();
  for (const row of rows) if (row.name !== null) tags.set(row.name, toTagState(row));
  // Its name is no row's: it means another tag.
  if (push.tags.some((tag) => tag === LATEST)) {
    const [row] = await query.query<TagRow>(LATEST_TAG, [id]);
    if (row) tags.set(LATEST, toTagState(row));
  }
  return { missing: (rows[0]?.missing ?? []).map(toDigest), tags };
}

function toTagState({ digest, mutability, bytes, media_type: mediaType }: TagRow): TagState {
  const entries = bytes ? parseManifest(bytes, mediaType).entries : [];
  return { digest: toDigest(digest), mutability, entries };
}

function decideTags(
  tags: ReadonlyMap<string, TagState>,
  { tags: wanted, digest, manifest }: ManifestPush,
  isMutableTag: (tag: Tag) => boolean,
): Decided[] {
  const { mediaType, entries } = manifest;
  return wanted.map((tag) => {
    const current = tags.get(tag);
    const decision = decideTag({ tag, digest, mediaType, entries }, current, isMutableTag);
    return { tag, current, decision };
  });
}

function addManifest(query: TransactionQueryable, id: string, push: ManifestPush): void {
  const { digest, manifest, bytes } = push;
  // Sorted, so that two pushes never wait for each other's rows in turn.
  const [blobs, children] = [manifest.blobs.toSorted(), manifest.manifests.toSorted()];
  const places = new Map(manifest.members.map((member, place) => [member, place]));
  query.send(ADD_MANIFEST, [
    id,
    digest,
    manifest.mediaType,
    Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength),
    manifest.config ?? null,
    manifest.subject?.digest ?? null,
    manifest.artifactType ?? null,
    manifest.annotations ? JSON.stringify(manifest.annotations) : null,
    push.principal.uid,
    blobs,
    blobs.map((blob) => places.get(blob) ?? null),
    children,
  ]);
  addAnnotatedSource(query, push);
}

function setTags(
  query: TransactionQueryable,
  id: string,
  routed: RoutedPush,
  decided: readonly Decided[],
  lastTagged: Date,
): void {
  for (const [index, { tag, current, decision }] of decided.entries()) {
    const created = new Date(lastTagged.getTime() - (decided.length - 1 - index));
    if (decision.kind === 'create') {
      const event = eventParameters(routed, tag, 'created', undefined);
      query.send(ADD_TAG, [...event, id, decision.mutability, created]);
    } else if (decision.kind === 'replace') {
      const event = eventParameters(routed, tag, 'replaced', current?.digest);
      query.send(REPLACE_TAG, [...event, id, created]);
    }
  }
}

/** Those of EVENT, and of its way to the outbox. */
function eventParameters(
  { push, routing }: RoutedPush,
  tag: Tag,
  kind: 'created' | 'replaced',
  previous: Digest | undefined,
): unknown[] {
  const { repository, digest, principal, manifest, bytes } = push;
  const what = [repository, tag, kind, digest, previous ?? null];
  const sinks = routing.sinksFor({ kind, repository });
  const outbox = outboxParameters(sinks, manifest.mediaType, bytes.byteLength);
  return [...principalColumns(principal), ...what, ...outbox];
}

function refusedOf(decided: readonly Decided[]): Refused[] {
  return decided.flatMap(({ tag, current, decision }) =>
    decision.kind === 'refuse'
      ? [{ tag, message: decision.message, previous: current?.digest }]
      : [],
  );
}

async function recordRefusals(
  database: Database,
  { push, routing }: RoutedPush,
  refused: readonly Refused[],
) {
  const { repository, digest, principal } = push;
  const sinks = routing.sinksFor({ kind: 'refused', repository });
  await database.transaction(async (query) => {
    for (const { tag, message, previous } of refused) {
      const what = [repository, tag, digest, previous ?? null, message];
      const values = [...principalColumns(principal), ...what, ...outboxParameters(sinks)];
      await query.query(ADD_REFUSAL, values);
    }
  });
}
