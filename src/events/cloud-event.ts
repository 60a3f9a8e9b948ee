import type { RegistryEvent, RegistryEventKind } from '../oci/registry-event.ts';
import { teamOf } from '../oci/repository-name.ts';

/** Receivers choose by them: what they mean never changes. */
const TYPES: Readonly<Record<RegistryEventKind, string>> = {
  created: 'io.pierone.tag.created',
  replaced: 'io.pierone.tag.replaced',
  refused: 'io.pierone.tag.refused',
  denied: 'io.pierone.push.denied',
  'login-refused': 'io.pierone.login.refused',
};

export const CLOUD_EVENT_TYPE = 'application/cloudevents+json; charset=UTF-8';

/**
 * The event as CloudEvents 1.0 in JSON, with all attributes in the body (structured mode).
 * @param source the registry's URL, or what stands for it
 */
export function cloudEvent(event: RegistryEvent, source: string): string {
  const { repository, tag, principal } = event;
  const { uid, realm, issuer } = principal;
  return JSON.stringify({
    specversion: '1.0',
    id: event.id,
    source,
    type: TYPES[event.kind],
    subject: repository && (tag === undefined ? repository : `${repository}:${tag}`),
    time: event.happened.toISOString(),
    datacontenttype: 'application/json',
    data: {
      team: repository && teamOf(repository),
      artifact: repository?.slice(repository.indexOf('/') + 1),
      repository,
      tag,
      digest: event.digest,
      previousDigest: event.previousDigest,
      mediaType: event.mediaType,
      size: event.sizeBytes,
      by: { uid, realm, issuer },
      reason: event.reason,
    },
  });
}
