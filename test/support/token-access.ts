import { Access } from '../../src/auth/access.ts';
import { type Identity, IdentityUnavailable, InvalidCredential } from '../../src/auth/identity.ts';
import { LoginLimiter } from '../../src/auth/login-limiter.ts';
import type { RegistryTokens } from '../../src/auth/registry-token.ts';

/** Access control by lists: who has which token, and is in which team. */
export class ListedAccess {
  readonly identities = new Map<string, Identity>();
  readonly settings = { isSecured: true, allowsPublicRead: false, knowsTeams: true };
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

  open(registryTokens: RegistryTokens): Access {
    const find = async (secret: string) => this.#find(secret);
    return new Access({
      settings: this.settings,
      tokens: { cached: () => undefined, check: find },
      instances: { verify: find },
      teams: { teamsOf: async ({ teams = new Set() }) => teams },
      registryTokens,
      limiter: new LoginLimiter(),
      refusals: { add: async () => undefined },
    });
  }

  #find(secret: string): Identity {
    if (this.isDown) throw new IdentityUnavailable('HTTP_TOKENINFO_URL', 'it does not answer');
    if (secret === 'nameless') throw new InvalidCredential('the token has no uid', 'forbidden');
    const identity = this.identities.get(secret);
    if (!identity) throw new InvalidCredential('the token is expired or unknown');
    return identity;
  }
}
