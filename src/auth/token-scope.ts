import { parseRepositoryName, type RepositoryName } from '../oci/repository-name.ts';
import type { Action } from './policy.ts';

/** What a client wants a token for. */
export interface TokenScopes {
  /** Those to be pushed to first. */
  readonly repositories: ReadonlyMap<RepositoryName, ReadonlySet<Action>>;
  readonly wantsCatalog: boolean;
  /** True when nothing was asked for at all, as docker login does. */
  readonly isEmpty: boolean;
}

/** More aren't looked at: a push that mounts blobs asks for a few. */
export const MAX_SCOPED_REPOSITORIES = 20;

const ACTIONS: Readonly<Record<string, readonly Action[]>> = {
  pull: ['pull'],
  push: ['push'],
  // What clients ask for that want to delete.
  '*': ['pull', 'push'],
};

/**
 * Reads scopes such as `repository:acme/hello:pull,push` (distribution's token scope specification), several in a
 * value separated by spaces. What isn't known here, and what can't name a repository, is passed over.
 */
export function readScopes(values: readonly string[]): TokenScopes {
  const scopes = values.flatMap((value) => value.split(' ')).filter((scope) => scope !== '');
  const repositories = new Map<RepositoryName, Set<Action>>();
  for (const scope of scopes) addRepository(repositories, scope);
  const pushesFirst = [...repositories].toSorted(
    ([, one], [, other]) => Number(other.has('push')) - Number(one.has('push')),
  );
  return {
    repositories: new Map(pushesFirst.slice(0, MAX_SCOPED_REPOSITORIES)),
    wantsCatalog: scopes.includes('registry:catalog:*'),
    isEmpty: scopes.length === 0,
  };
}

function addRepository(repositories: Map<RepositoryName, Set<Action>>, scope: string): void {
  const [, text = '', actions = ''] =
    /^repository(?:\([a-z0-9]+\))?:(.+):([^:]*)$/.exec(scope) ?? [];
  const name = parseRepositoryName(text);
  if (name === undefined) return;
  const wanted = actions.split(',').flatMap((action) => knownActions(action));
  if (wanted.length === 0) return;
  repositories.set(name, new Set([...(repositories.get(name) ?? []), ...wanted]));
}

function knownActions(action: string): readonly Action[] {
  return Object.hasOwn(ACTIONS, action) ? (ACTIONS[action] ?? []) : [];
}
