import { readScmKeys, type ScmFinding, type ScmOrigin } from '../../oci/scm-source.ts';
import type { ManifestPush } from '../records/manifest-records.ts';
import type { TransactionQueryable } from './database.ts';

const ADD_SOURCE = {
  name: 'scm-source-add',
  text: `insert into scm_sources (digest, origin, url, revision, author, status, invalid)
         values ($1, $2, $3, $4, $5, $6, $7)
         on conflict do nothing`,
};
/** A tag that stays as it is keeps its own. */
const SET_TAG_SOURCES = {
  name: 'scm-tag-source-set',
  text: `insert into scm_tag_sources as s (repository_id, tag, digest, url, revision, author, status)
         select t.repository_id, t.name, t.digest, $4, $5, $6, $7
         from tags t where t.repository_id = $1 and t.name = any($2) and t.digest = $3
         on conflict (repository_id, tag) do update
         set digest = excluded.digest, url = excluded.url, revision = excluded.revision, author = excluded.author,
             status = excluded.status, created = excluded.created
         where s.digest <> excluded.digest`,
};

/** What a blob or a manifest says; the same content says the same always. */
export function addSource(
  query: TransactionQueryable,
  digest: string,
  origin: Exclude<ScmOrigin, 'header'>,
  finding: ScmFinding,
): void {
  const source = finding.kind === 'valid' ? finding.source : undefined;
  query.send(ADD_SOURCE, [
    digest,
    origin,
    source?.url ?? null,
    source?.revision ?? null,
    source?.author ?? null,
    source?.status ?? null,
    finding.kind === 'invalid' ? finding.reason : null,
  ]);
}

export function addAnnotatedSource(query: TransactionQueryable, push: ManifestPush): void {
  const finding = readScmKeys(push.manifest.annotations ?? {});
  if (finding) addSource(query, push.digest, 'annotation', finding);
}

export function setTagSources(query: TransactionQueryable, id: string, push: ManifestPush): void {
  const { scmSource: source, tags, digest } = push;
  if (!source || tags.length === 0) return;
  const { url, revision, author, status } = source;
  query.send(SET_TAG_SOURCES, [id, tags, digest, url, revision, author, status]);
}
