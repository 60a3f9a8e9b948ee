import type { RegistryEvent } from '../../src/oci/registry-event.ts';
import { repositoryOf, sha256Of, tagOf } from './vocabulary.ts';

export const DIGEST = sha256Of('1');
export const PREVIOUS_DIGEST = sha256Of('2');

/** A tag that was created, changed as told. */
export function registryEvent(changes: Partial<RegistryEvent> = {}): RegistryEvent {
  return {
    id: '0b0e6f0e-4a3c-4b6e-8d3e-2f6a1c9d7e55',
    kind: 'created',
    happened: new Date('2026-11-23T08:15:30.123Z'),
    principal: { uid: 'alice', realm: 'employees', issuer: 'https://login.example.org' },
    repository: repositoryOf('acme/shop/frontend'),
    tag: tagOf('1.0'),
    digest: DIGEST,
    mediaType: 'application/vnd.oci.image.manifest.v1+json',
    sizeBytes: 1234,
    ...changes,
  };
}
