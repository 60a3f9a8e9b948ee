import type { RepositoryName } from '../../oci/repository-name.ts';
import type { Context } from '../context.ts';
import { requireRead, sendJson } from './answers.ts';
import { cutPage, readPage } from './paging.ts';

/** end-8: the tags of a repository, sorted by bytes. */
export async function handleTags(context: Context, repository: RepositoryName): Promise<void> {
  const { exchange, parts } = context;
  requireRead(context);
  const request = readPage(new URLSearchParams(exchange.query));
  const tags = await parts.manifests.listTags(repository, request.page);
  const { entries, headers } = cutPage(tags, request, `/v2/${repository}/tags/list`);
  sendJson(context, { name: repository, tags: entries }, headers);
}
