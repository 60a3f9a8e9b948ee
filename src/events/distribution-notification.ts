import type { RegistryEvent, RegistryEventKind } from '../oci/registry-event.ts';

/** What its receivers know as a push; for the others they have no word. */
export const DISTRIBUTION_KINDS: readonly RegistryEventKind[] = ['created', 'replaced'];

export const DISTRIBUTION_TYPE = 'application/vnd.docker.distribution.events.v2+json';

/**
 * The event as the CNCF's distribution tells of a manifest's push: an envelope with one event.
 * @param externalUrl the registry's origin, where it is known
 */
export function distributionNotification(
  event: RegistryEvent,
  externalUrl: string | undefined,
): string {
  const { repository, digest, sizeBytes } = event;
  const host = externalUrl && new URL(externalUrl).host;
  return JSON.stringify({
    events: [
      {
        id: event.id,
        timestamp: event.happened.toISOString(),
        action: 'push',
        target: {
          mediaType: event.mediaType,
          digest,
          size: sizeBytes,
          length: sizeBytes,
          repository,
          url: externalUrl && `${externalUrl}/v2/${repository}/manifests/${digest}`,
          tag: event.tag,
        },
        // What distribution always writes; which client it was isn't kept.
        request: { id: event.id, host, method: 'PUT', useragent: '' },
        actor: { name: event.principal.uid },
        source: { addr: host },
      },
    ],
  });
}
