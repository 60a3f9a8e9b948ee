import type { Identity } from './identity.ts';

/** Knows the teams of people and services. */
export interface TeamSource {
  /**
   * @param token the bearer's own, to ask with; never kept longer than the call
   * @returns undefined when this source doesn't know such principals at all (another one may)
   * @throws IdentityUnavailable
   */
  teamsOf(identity: Identity, token: string): Promise<ReadonlySet<string> | undefined>;
}
