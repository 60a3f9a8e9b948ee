import type { Action } from '../auth/policy.ts';
import { OciError } from '../oci/error.ts';
import {
  explainRepositoryName,
  parseRepositoryName,
  type RepositoryName,
} from '../oci/repository-name.ts';
import { scopeFor, type WantedScope } from './challenge.ts';
import type { Context, RegistryParts } from './context.ts';
import { sendError } from './error-response.ts';
import type { Exchange, Handler } from './exchange.ts';
import { handleBase } from './handlers/base.ts';
import { handleBlob } from './handlers/blob.ts';
import { handleCatalog } from './handlers/catalog.ts';
import { handleManifest } from './handlers/manifest.ts';
import { handleReferrers } from './handlers/referrers.ts';
import { handleTags } from './handlers/tags.ts';
import { handleToken } from './handlers/token.ts';
import { handleUpload, handleUploads } from './handlers/uploads.ts';
import { giveKept } from './kept-answers.ts';
import type { ObservedExchange } from './observed-exchange.ts';
import { observeRequests } from './request-observer.ts';
import { handleRest } from './rest/rest-handler.ts';
import { isRegistryPath, matchRoute, type Route } from './routes.ts';

const NO_SUCH_PATH =
  'there is nothing at this path: the registry has /v2/, /v2/_catalog, and below /v2/TEAM/ARTIFACT/ manifests/, blobs/, tags/list, referrers/';

/** Answers every request: finds the handler, and turns what it throws into an answer. */
export function registryHandler(parts: RegistryParts): Handler {
  return observeRequests(parts, (exchange) => {
    const answerError = (error: unknown) => {
      const { notes } = exchange;
      notes.errorCode = sendError(exchange, error, notes.id, parts.proxies, parts.log).code;
    };
    try {
      if (giveKept(exchange, parts)) return undefined;
    } catch (error) {
      answerError(error);
      return undefined;
    }
    return dispatch(exchange, parts).catch(answerError);
  });
}

async function dispatch(exchange: ObservedExchange, parts: RegistryParts): Promise<void> {
  const route = matchRoute(exchange.path);
  if (!route && !isRegistryPath(exchange.path)) {
    exchange.notes.route = 'rest';
    return handleRest(exchange, parts);
  }
  if (!route) {
    throw new OciError('UNSUPPORTED', { status: 404, message: NO_SUCH_PATH });
  }
  exchange.notes.route = route.kind;
  if (route.kind === 'token') return handleToken(exchange, parts);
  const caller = await parts.gate.callerOf(exchange, () => scopeOf(exchange, route));
  exchange.notes.uid = caller.principal.uid;
  await handle({ exchange, parts, caller }, route);
}

/** What a token must allow for the request, as far as that can be told. */
function scopeOf(exchange: Exchange, route: Route): WantedScope {
  if (route.kind === 'catalog') return 'catalog';
  const repository = 'name' in route ? parseRepositoryName(route.name) : undefined;
  const isUpload = route.kind === 'uploads' || route.kind === 'upload';
  return repository && scopeFor(repository, isUpload ? 'push' : actionOf({ exchange }));
}

async function handle(context: Context, route: Exclude<Route, { kind: 'token' }>): Promise<void> {
  switch (route.kind) {
    case 'base':
      return handleBase(context);
    case 'catalog':
      return handleCatalog(context);
    case 'uploads':
      return handleUploads(context, await enter(context, route.name, 'push'));
    case 'upload':
      return handleUpload(context, await enter(context, route.name, 'push'), route.id);
    case 'blob':
      return handleBlob(context, await enter(context, route.name, actionOf(context)), route.digest);
    case 'manifest':
      return handleManifest(context, await enterManifest(context, route), route.reference);
    case 'tags':
      return handleTags(context, await enter(context, route.name, 'pull'));
    case 'referrers':
      return handleReferrers(context, await enter(context, route.name, 'pull'), route.digest);
  }
}

/** The repository, once the caller may do this there. */
async function enter(
  { exchange, parts, caller }: Context,
  name: string,
  action: Action,
  reference?: string,
): Promise<RepositoryName> {
  const repository = parseRepositoryName(name);
  if (repository === undefined) {
    throw new OciError('NAME_INVALID', { message: explainRepositoryName(name), detail: { name } });
  }
  await parts.gate.require(exchange, caller, {
    action,
    repository,
    ...(reference && { reference }),
  });
  return repository;
}

function enterManifest(
  context: Context,
  { name, reference }: Extract<Route, { kind: 'manifest' }>,
): Promise<RepositoryName> {
  const action = actionOf(context);
  const hasSource = context.exchange.header('x-scm-source') !== undefined;
  return enter(
    context,
    name,
    action === 'push' && hasSource ? 'push-with-source' : action,
    reference,
  );
}

function actionOf({ exchange: { method } }: Pick<Context, 'exchange'>): 'pull' | 'push' {
  return method === 'GET' || method === 'HEAD' ? 'pull' : 'push';
}
