import { artifactOf, teamOf } from '../oci/repository-name.ts';
import type { FoundScmSource } from '../oci/scm-source.ts';
import type { CreatedTag } from './created-tag.ts';

/**
 * An event as the original Pier One told its audit service: its members in their order, realms with a slash as
 * the token info service has them. The same event makes the same text, of which the service keeps a digest.
 * @param registry what the registry is called there (API_REPOSITORY)
 */
export function auditEvent(
  { happened, principal, repository, tag }: CreatedTag,
  source: FoundScmSource | undefined,
  registry: string | undefined,
): string {
  const { uid, realm } = principal;
  return JSON.stringify({
    event_type: { namespace: 'cloud.zalando.com', name: 'docker-tag-uploaded', version: '1' },
    triggered_at: happened.toISOString(),
    triggered_by: {
      type: 'USER',
      id: uid,
      additional: { realm: realm === undefined ? null : `/${realm}` },
    },
    payload: {
      ...(source && { scm_source: showSource(source) }),
      tag: {
        team: teamOf(repository),
        artifact: artifactOf(repository),
        tag,
        repository: registry ?? null,
      },
    },
  });
}

function showSource({ url, revision, author, status, created }: FoundScmSource) {
  return { url, revision, author, status, created: created.toISOString() };
}
