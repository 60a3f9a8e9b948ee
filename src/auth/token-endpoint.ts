import type { Access, Caller } from './access.ts';
import type { Action } from './policy.ts';
import type { Grant, Refusal } from './token-claims.ts';
import type { TokenScopes } from './token-scope.ts';

/** Decides about each scope: what of it is granted, and why the rest is not. @throws OciError UNAVAILABLE */
export async function decideScopes(
  access: Access,
  caller: Caller,
  scopes: TokenScopes,
): Promise<{ granted: readonly Grant[]; refused: readonly Refusal[] }> {
  const granted: Grant[] = [];
  const refused: Refusal[] = [];
  if (scopes.wantsCatalog && access.decideLists(caller, true).isAllowed) {
    granted.push({ type: 'registry', name: 'catalog', actions: ['*'] });
  }
  for (const [name, wanted] of scopes.repositories) {
    const actions: Action[] = [];
    for (const action of wanted) {
      const decision = await access.decide(caller, action, name);
      if (decision.isAllowed) actions.push(action);
      else refused.push({ name, action, reason: decision.reason });
    }
    // Clients don't know that there is such an action.
    const source = actions.includes('push') ? 'push-with-source' : undefined;
    if (source && (await access.decide(caller, source, name)).isAllowed) actions.push(source);
    if (actions.length > 0) granted.push({ type: 'repository', name, actions });
  }
  return { granted, refused };
}
