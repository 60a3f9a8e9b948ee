import type { Tag } from '../oci/reference.ts';
import type { RegistryEvent } from '../oci/registry-event.ts';
import type { RepositoryName } from '../oci/repository-name.ts';

/** The only event that the original Pier One told of: a new tag, mutable ones included, but not their replacement. */
export interface CreatedTag extends RegistryEvent {
  readonly repository: RepositoryName;
  readonly tag: Tag;
}

export function isCreatedTag(event: RegistryEvent): event is CreatedTag {
  return event.kind === 'created' && event.repository !== undefined && event.tag !== undefined;
}
