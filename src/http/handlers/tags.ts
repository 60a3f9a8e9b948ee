import type { RepositoryName } from '../../oci/repository-name.ts';
import type { Context } from '../context.ts';
import { methodNotAllowed, sendJson } from './answers.ts';
import { cutPage, readPage } from './paging.ts';

/** end-8: the tags of a repository, sorted by bytes. */
export async function handleTags(context: Context, repository: RepositoryName): Promise<void> {
  const { exchange, parts } = context;
  if (exchange.method !== 'GET' && exchange.method !== 'HEAD')
    throw methodNotAllowed(context, 'GET, HEAD');
  const request = readPage(new URLSearchParams(exchange.query));
  const tags = await parts.manifests.listTags(repository, request.page);
  const { entries, headers } = cutPage(tags, request, `/v2/${repository}/tags/list`);
  sendJson(context, { name: repository, tags: entries }, headers);
}
