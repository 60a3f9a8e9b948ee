import type { Context } from '../context.ts';
import { requireRead, sendJson } from './answers.ts';
import { cutPage, readPage } from './paging.ts';

/** The repositories that have a manifest, sorted by bytes. */
export async function handleCatalog(context: Context): Promise<void> {
  const { exchange, parts, caller } = context;
  requireRead(context);
  parts.gate.requireLists(exchange, caller, true);
  const request = readPage(new URLSearchParams(exchange.query));
  const names = await parts.manifests.listRepositories(request.page);
  const { entries, headers } = cutPage(names, request, '/v2/_catalog');
  sendJson(context, { repositories: entries }, headers);
}
