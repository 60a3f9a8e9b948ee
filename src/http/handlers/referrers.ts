import { type Digest, parseDigest } from '../../oci/digest.ts';
import { MEDIA_TYPE } from '../../oci/media-type.ts';
import type { Referrer } from '../../oci/referrer.ts';
import type { RepositoryName } from '../../oci/repository-name.ts';
import type { Context } from '../context.ts';
import { requireDigest, requireRead, sendJson } from './answers.ts';

/** Referrers on a page, at most. */
const MAX_PAGE = 500;

/** end-12: manifests whose subject is `digest`, as an index; empty when there are none, never 404. */
export async function handleReferrers(
  context: Context,
  repository: RepositoryName,
  subjectText: string,
): Promise<void> {
  const { exchange, parts } = context;
  requireRead(context);
  const subject = requireDigest(subjectText);
  const query = new URLSearchParams(exchange.query);
  const artifactType = query.get('artifactType') || undefined;
  const last = parseDigest(query.get('last') ?? '');
  const page = { limit: MAX_PAGE, last };
  const { manifests } = parts;
  // No media type has it, and PostgreSQL can't hold it.
  const isImpossible = artifactType?.includes('\0') ?? false;
  const { referrers, hasMore } = isImpossible
    ? { referrers: [], hasMore: false }
    : await manifests.listReferrers(repository, subject, artifactType, page);
  const index = {
    schemaVersion: 2,
    mediaType: MEDIA_TYPE.ociIndex,
    manifests: referrers.map(toDescriptor),
  };
  sendJson(context, index, {
    'Content-Type': MEDIA_TYPE.ociIndex,
    ...(artifactType ? { 'OCI-Filters-Applied': 'artifactType' } : {}),
    ...(hasMore ? { Link: nextPage(repository, subject, artifactType, referrers) } : {}),
  });
}

function toDescriptor({ mediaType, digest, sizeBytes, artifactType, annotations }: Referrer) {
  return { mediaType, digest, size: sizeBytes, artifactType, annotations };
}

function nextPage(
  repository: RepositoryName,
  subject: Digest,
  artifactType: string | undefined,
  referrers: readonly Referrer[],
): string {
  const query = new URLSearchParams({ last: referrers.at(-1)?.digest ?? '' });
  if (artifactType) query.set('artifactType', artifactType);
  return `</v2/${repository}/referrers/${subject}?${query.toString()}>; rel="next"`;
}
