import { MEDIA_TYPE } from '../../oci/media-type.ts';
import type { RepositoryName } from '../../oci/repository-name.ts';
import type { Context } from '../context.ts';
import { methodNotAllowed, requireDigest, sendJson } from './answers.ts';

/** end-12: manifests whose subject is `digest`, as an index; empty when there are none, never 404. */
export async function handleReferrers(
  context: Context,
  repository: RepositoryName,
  subjectText: string,
): Promise<void> {
  const { exchange, parts } = context;
  if (exchange.method !== 'GET' && exchange.method !== 'HEAD')
    throw methodNotAllowed(context, 'GET, HEAD');
  const subject = requireDigest(subjectText);
  const filter = new URLSearchParams(exchange.query).get('artifactType');
  const referrers = await parts.manifests.listReferrers(repository, subject);
  const manifests = referrers
    .filter((referrer) => !filter || referrer.artifactType === filter)
    .map(({ mediaType, digest, sizeBytes, artifactType, annotations }) => ({
      mediaType,
      digest,
      size: sizeBytes,
      artifactType,
      annotations,
    }));
  const index = { schemaVersion: 2, mediaType: MEDIA_TYPE.ociIndex, manifests };
  sendJson(context, index, {
    'Content-Type': MEDIA_TYPE.ociIndex,
    ...(filter ? { 'OCI-Filters-Applied': 'artifactType' } : {}),
  });
}
