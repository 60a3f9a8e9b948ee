import type { Digest } from '../../oci/digest.ts';
import { parseManifest } from '../../oci/manifest.ts';
import { LATEST, type Tag } from '../../oci/reference.ts';
import { decideTag, type Mutability, type TagDecision, type TagState } from '../../oci/tag-rule.ts';
import type { ManifestPush, ManifestPushResult } from '../metadata-store.ts';
import type { EventRouting } from '../outbox-records.ts';
import type { Database, Queryable } from './database.ts';
import { outboxParameters, REPEATED_AFTER, withOutbox } from './outbox-statements.ts';
import { lockRepository } from './repositories.ts';
import { principalColumns, toDigest } from './rows.ts';
import { addAnnotatedSource, setTagSources } from './scm-push.ts';

const MISSING = {
  name: 'manifest-missing',
  text: `select wanted.digest from unnest($2::text[]) as wanted (digest)
         where not exists (select from blob_links l where l.repository_id = $1 and l.digest = wanted.digest)
         union
         select wanted.digest from unnest($3::text[]) as wanted (digest)
         where not exists (select from manifests m where m.repository_id = $1 and m.digest = wanted.digest)`,
};
const TAG = {
  name: 'tag-state',
  text: `select t.digest, t.mutability, m.media_type,
                case when t.mutability = 'append-only' then m.bytes end as bytes
         from tags t join manifests m using (repository_id, digest)
         where t.repository_id = $1 and t.name = $2`,
};
const LATEST_TAG = {
  name: 'tag-state-latest',
  text: `select t.digest, t.mutability, m.media_type,
                case when t.mutability = 'append-only' then m.bytes end as bytes
         from tags t join manifests m using (repository_id, digest)
         where t.repository_id = $1 and t.mutability = 'immutable'
         order by t.created desc limit 1`,
};
const ADD_MANIFEST = {
  name: 'manifest-add',
  text: `insert into manifests (repository_id, digest, media_type, bytes, config_digest, subject, artifact_type,
                                annotations, created_by)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
         on conflict do nothing
         returning digest`,
};
/** In one statement, since the repository's lock is held. */
const ADD_BLOBS = {
  name: 'manifest-add-blobs',
  text: `with added as
           (insert into manifest_blobs (repository_id, manifest, blob, layer)
            select $1, $2, blob, layer from unnest($3::text[], $4::int[]) as wanted (blob, layer))
         insert into scm_scans (digest, size_bytes)
         select digest, size_bytes from blobs where digest = any($3) order by digest
         on conflict do nothing`,
};
const ADD_CHILDREN = {
  name: 'manifest-add-children',
  text: 'insert into manifest_children (repository_id, manifest, child) select $1, $2, unnest($3::text[])',
};
const ADD_TAG = {
  name: 'tag-add',
  text: `insert into tags (repository_id, name, digest, mutability, created, created_by)
         values ($1, $2, $3, $4, $5, $6)`,
};
const REPLACE_TAG = {
  name: 'tag-replace',
  text: `update tags set digest = $3, created = $4, created_by = $5 where repository_id = $1 and name = $2`,
};
const ADD_EVENT = {
  name: 'tag-event-add',
  text: withOutbox(
    `insert into tag_events (uid, realm, issuer, claims, repository, tag, kind, digest, previous_digest)
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9) returning *`,
    10,
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
    const { id, lastTagged } = await lockRepository(query, push.repository, push.tags.length);
    const missing = await findMissing(query, id, push);
    if (missing.length > 0) return rollback({ kind: 'missing', digests: missing });
    const decided = await decideTags(query, id, push, isMutableTag);
    const refused = refusedOf(decided);
    if (refused.length > 0) return rollback({ kind: 'refused', refused });
    await addManifest(query, id, push);
    await setTags(query, id, { push, routing }, decided, lastTagged);
    await setTagSources(query, id, push);
    return { kind: 'stored' };
  });
  if (attempt.kind !== 'refused') return attempt;
  await recordRefusals(database, { push, routing }, attempt.refused);
  return { kind: 'refused', refusals: attempt.refused };
}

async function findMissing(query: Queryable, id: string, push: ManifestPush): Promise<Digest[]> {
  const { blobs, manifests } = push.manifest;
  const rows = await query.query<{ digest: string }>(MISSING, [id, blobs, manifests]);
  return rows.map((row) => toDigest(row.digest));
}

async function decideTags(
  query: Queryable,
  id: string,
  push: ManifestPush,
  isMutableTag: (tag: Tag) => boolean,
): Promise<Decided[]> {
  const decided: Decided[] = [];
  const { digest, manifest } = push;
  for (const tag of push.tags) {
    const current = await findTagState(query, id, tag);
    const { mediaType, members } = manifest;
    const decision = decideTag({ tag, digest, mediaType, members }, current, isMutableTag);
    decided.push({ tag, current, decision });
  }
  return decided;
}

async function findTagState(query: Queryable, id: string, tag: Tag): Promise<TagState | undefined> {
  const [row] =
    tag === LATEST
      ? await query.query<TagRow>(LATEST_TAG, [id])
      : await query.query<TagRow>(TAG, [id, tag]);
  if (!row) return undefined;
  const members = row.bytes ? parseManifest(row.bytes, row.media_type).members : [];
  return { digest: toDigest(row.digest), mutability: row.mutability, members };
}

async function addManifest(query: Queryable, id: string, push: ManifestPush): Promise<void> {
  const { digest, manifest } = push;
  const added = await query.query(ADD_MANIFEST, [
    id,
    digest,
    manifest.mediaType,
    Buffer.from(push.bytes.buffer, push.bytes.byteOffset, push.bytes.byteLength),
    manifest.config ?? null,
    manifest.subject?.digest ?? null,
    manifest.artifactType ?? null,
    manifest.annotations ? JSON.stringify(manifest.annotations) : null,
    push.principal.uid,
  ]);
  if (added.length === 0) return;
  // Sorted, so that two pushes never wait for each other's rows in turn.
  const { blobs, manifests } = manifest;
  if (blobs.length > 0) await addBlobs(query, id, push, blobs.toSorted());
  if (manifests.length > 0) await query.query(ADD_CHILDREN, [id, digest, manifests.toSorted()]);
  await addAnnotatedSource(query, push);
}

async function addBlobs(
  query: Queryable,
  id: string,
  { digest, manifest }: ManifestPush,
  blobs: readonly Digest[],
): Promise<void> {
  const places = new Map(manifest.members.map((member, place) => [member, place]));
  const layers = blobs.map((blob) => places.get(blob) ?? null);
  await query.query(ADD_BLOBS, [id, digest, blobs, layers]);
}

async function setTags(
  query: Queryable,
  id: string,
  routed: RoutedPush,
  decided: readonly Decided[],
  lastTagged: Date,
): Promise<void> {
  const { digest, principal } = routed.push;
  for (const [index, { tag, current, decision }] of decided.entries()) {
    const created = new Date(lastTagged.getTime() - (decided.length - 1 - index));
    if (decision.kind === 'create') {
      await query.query(ADD_TAG, [id, tag, digest, decision.mutability, created, principal.uid]);
      await addEvent(query, routed, tag, 'created', undefined);
    } else if (decision.kind === 'replace') {
      await query.query(REPLACE_TAG, [id, tag, digest, created, principal.uid]);
      await addEvent(query, routed, tag, 'replaced', current?.digest);
    }
  }
}

async function addEvent(
  query: Queryable,
  { push, routing }: RoutedPush,
  tag: Tag,
  kind: 'created' | 'replaced',
  previous: Digest | undefined,
): Promise<void> {
  const { repository, digest, principal, manifest, bytes } = push;
  const what = [repository, tag, kind, digest, previous ?? null];
  const sinks = routing.sinksFor({ kind, repository });
  const outbox = outboxParameters(sinks, manifest.mediaType, bytes.byteLength);
  await query.query(ADD_EVENT, [...principalColumns(principal), ...what, ...outbox]);
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
