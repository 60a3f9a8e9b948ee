import { randomUUID } from 'node:crypto';
import { OciError } from '../oci/error.ts';
import { ANONYMOUS } from '../oci/principal.ts';
import {
  explainRepositoryName,
  parseRepositoryName,
  type RepositoryName,
} from '../oci/repository-name.ts';
import type { Context, RegistryParts } from './context.ts';
import { sendError } from './error-response.ts';
import type { Exchange, Handler } from './exchange.ts';
import { handleBase } from './handlers/base.ts';
import { handleBlob } from './handlers/blob.ts';
import { handleCatalog } from './handlers/catalog.ts';
import { handleManifest } from './handlers/manifest.ts';
import { handleReferrers } from './handlers/referrers.ts';
import { handleTags } from './handlers/tags.ts';
import { handleUpload, handleUploads } from './handlers/uploads.ts';
import { handleRest } from './rest/rest-handler.ts';
import { isRegistryPath, matchRoute, type Route } from './routes.ts';

const NO_SUCH_PATH =
  'there is nothing at this path: the registry has /v2/, /v2/_catalog, and below /v2/TEAM/ARTIFACT/ manifests/, blobs/, tags/list, referrers/';

/** Answers every request: finds the handler, and turns what it throws into an answer. */
export function registryHandler(parts: RegistryParts): Handler {
  const prefix = randomUUID().slice(0, 8);
  let count = 0;
  return (exchange) =>
    dispatch({ exchange, parts, principal: ANONYMOUS }).catch((error: unknown) => {
      count += 1;
      const requestId = readRequestId(exchange) ?? `${prefix}-${count}`;
      sendError(exchange, error, requestId, parts.proxies, parts.log);
    });
}

/** The client's own, if it can stand in a header and a log line as it is. */
function readRequestId(exchange: Exchange): string | undefined {
  return /^[!-~]+$/.exec(exchange.header('x-request-id') ?? '')?.[0].slice(0, 128);
}

async function dispatch(context: Context): Promise<void> {
  if (!isRegistryPath(context.exchange.path)) return handleRest(context);
  const route = matchRoute(context.exchange.path);
  if (!route) {
    throw new OciError('UNSUPPORTED', { status: 404, message: NO_SUCH_PATH });
  }
  await handle(context, route);
}

function handle(context: Context, route: Route): Promise<void> {
  switch (route.kind) {
    case 'base':
      return handleBase(context);
    case 'catalog':
      return handleCatalog(context);
    case 'uploads':
      return handleUploads(context, repositoryOf(route.name));
    case 'upload':
      return handleUpload(context, repositoryOf(route.name), route.id);
    case 'blob':
      return handleBlob(context, repositoryOf(route.name), route.digest);
    case 'manifest':
      return handleManifest(context, repositoryOf(route.name), route.reference);
    case 'tags':
      return handleTags(context, repositoryOf(route.name));
    case 'referrers':
      return handleReferrers(context, repositoryOf(route.name), route.digest);
  }
}

function repositoryOf(name: string): RepositoryName {
  const repository = parseRepositoryName(name);
  if (repository !== undefined) return repository;
  throw new OciError('NAME_INVALID', { message: explainRepositoryName(name), detail: { name } });
}
