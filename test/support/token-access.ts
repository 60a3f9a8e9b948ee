import type { Credential } from '../../src/auth/credential.ts';
import { type Identity, IdentityUnavailable, InvalidCredential } from '../../src/auth/identity.ts';
import type { RepositoryAction } from '../../src/auth/token-claims.ts';
import type { Caller, Decision, TokenAccess } from '../../src/auth/token-endpoint.ts';
import { type RepositoryName, teamOf } from '../../src/oci/repository-name.ts';

/** Access by lists: who has which token, and is in which team. */
export class ListedAccess implements TokenAccess {
  readonly identities = new Map<string, Identity>();
  readonly sources: string[] = [];
  isPublic = false;
  /** Where the lists can't be read. */
  isDown = false;

  add(token: string, uid: string, teams: readonly string[] = []): void {
    const principal = { uid, realm: 'employees' };
    this.identities.set(token, {
      principal,
      kind: 'oauth',
      scopes: new Set(),
      teams: new Set(teams),
    });
  }

  addInstance(document: string, uid: string): void {
    this.identities.set(document, { principal: { uid }, kind: 'instance', scopes: new Set() });
  }

  async authenticate(credential: Credential, source: string): Promise<Caller> {
    this.sources.push(source);
    if (this.isDown) throw new IdentityUnavailable('HTTP_TOKENINFO_URL', 'it does not answer');
    return { identity: this.#identityOf(credential), credential };
  }

  async decide(
    { identity }: Caller,
    action: RepositoryAction,
    repository: RepositoryName,
  ): Promise<Decision> {
    const team = teamOf(repository);
    if (action === 'pull') return { allowed: true };
    if (identity === 'anonymous') return { allowed: false, reason: 'log in to push' };
    if (identity.teams?.has(team)) return { allowed: true };
    return { allowed: false, reason: `a push to ${repository} needs the team ${team}` };
  }

  async decideCatalog(): Promise<Decision> {
    return { allowed: true };
  }

  #identityOf(credential: Credential): Identity | 'anonymous' {
    switch (credential.kind) {
      case 'none':
        if (this.isPublic) return 'anonymous';
        throw new InvalidCredential('log in first');
      case 'unusable':
        throw new InvalidCredential(credential.reason);
      case 'token':
        return this.#find(credential.token);
      case 'instance':
        return this.#find(credential.document);
    }
  }

  #find(secret: string): Identity {
    if (secret === 'nameless') throw new InvalidCredential('the token has no uid', 'forbidden');
    const identity = this.identities.get(secret);
    if (!identity) throw new InvalidCredential('the token is expired or unknown');
    return identity;
  }
}
