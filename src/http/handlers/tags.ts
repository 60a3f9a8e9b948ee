import type { RepositoryName } from '../../oci/repository-name.ts';
import type { Context } from '../context.ts';
import type { Answer } from '../exchange.ts';
import { jsonAnswer, requireRead } from './answers.ts';
import { cutPage, type ListRequest, readPage } from './paging.ts';

/** Of pages that are the same as before. */
const answers = new WeakMap<object, Answer>();

/** end-8: the tags of a repository, sorted by bytes. */
export async function handleTags(context: Context, repository: RepositoryName): Promise<void> {
  const { exchange, parts } = context;
  requireRead(context);
  const request = readPage(new URLSearchParams(exchange.query));
  const list = await parts.manifests.listTags(repository, request.page);
  let answer = answers.get(list);
  if (!answer) {
    answer = answerWith(list.names, repository, request);
    answers.set(list, answer);
  }
  exchange.send(answer);
}

function answerWith(
  names: readonly string[],
  repository: RepositoryName,
  request: ListRequest,
): Answer {
  const { entries, headers } = cutPage(names, request, `/v2/${repository}/tags/list`);
  return { ...jsonAnswer({ name: repository, tags: entries }, headers), isFixed: true };
}
