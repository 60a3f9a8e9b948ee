import { createHash } from 'node:crypto';
import { artifactOf, teamOf } from '../oci/repository-name.ts';
import type { CreatedTag } from './created-tag.ts';

/** SNS' limit for MessageGroupId; a repository's name has none but characters that are allowed there. */
const MAX_GROUP_LENGTH = 128;

/**
 * The message of the original Pier One: its members in their order.
 * @param registry what the registry is called there (API_REPOSITORY)
 */
export function snsMessage({ repository, tag }: CreatedTag, registry: string | undefined): string {
  return JSON.stringify({
    registry: registry ?? null,
    team: teamOf(repository),
    image: artifactOf(repository),
    tag,
  });
}

/** What subscriptions can filter by. */
export function snsAttributes({ repository, kind }: CreatedTag) {
  const text = (value: string) => ({ DataType: 'String', StringValue: value });
  return {
    team: text(teamOf(repository)),
    artifact: text(artifactOf(repository)),
    event: text(kind),
  };
}

/** By these a FIFO topic keeps a repository's messages in order, and drops what comes twice within five minutes. */
export function fifoIds({ id, repository }: CreatedTag) {
  const isShort = repository.length <= MAX_GROUP_LENGTH;
  return {
    MessageGroupId: isShort ? repository : createHash('sha256').update(repository).digest('hex'),
    MessageDeduplicationId: id,
  };
}
