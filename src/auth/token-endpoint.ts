import type { RepositoryName } from '../oci/repository-name.ts';
import type { Credential } from './credential.ts';
import type { Identity } from './identity.ts';
import type { Grant, Refusal, RepositoryAction } from './token-claims.ts';
import type { TokenScopes } from './token-scope.ts';

/** Who asks for a token. */
export interface Caller {
  readonly identity: Identity | 'anonymous';
  /** To ask team sources with; never kept longer than the request. */
  readonly credential: Credential;
}

export type Decision =
  | { readonly allowed: true }
  /** A sentence for the caller. */
  | { readonly allowed: false; readonly reason: string };

/** What the token endpoint needs of access control. */
export interface TokenAccess {
  /**
   * @param source the client's address
   * @returns the anonymous caller for no credential, where everyone may pull
   * @throws InvalidCredential, also for no credential where everyone needs one; IdentityUnavailable; OciError
   */
  authenticate(credential: Credential, source: string): Promise<Caller>;
  /** @throws IdentityUnavailable */
  decide(caller: Caller, action: RepositoryAction, repository: RepositoryName): Promise<Decision>;
  /** Whether the caller may list the repositories. */
  decideCatalog(caller: Caller): Promise<Decision>;
}

/** Decides about each scope: what of it is granted, and why the rest is not. @throws IdentityUnavailable */
export async function decideScopes(
  access: TokenAccess,
  caller: Caller,
  scopes: TokenScopes,
): Promise<{ granted: readonly Grant[]; refused: readonly Refusal[] }> {
  const granted: Grant[] = [];
  const refused: Refusal[] = [];
  if (scopes.wantsCatalog && (await access.decideCatalog(caller)).allowed) {
    granted.push({ type: 'registry', name: 'catalog', actions: ['*'] });
  }
  for (const [name, wanted] of scopes.repositories) {
    const actions: RepositoryAction[] = [];
    for (const action of wanted) {
      const decision = await access.decide(caller, action, name);
      if (decision.allowed) actions.push(action);
      else refused.push({ name, action, reason: decision.reason });
    }
    if (actions.length > 0) granted.push({ type: 'repository', name, actions });
  }
  return { granted, refused };
}
