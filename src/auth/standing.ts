import { toAccessError } from './access-error.ts';
import type { Identity } from './identity.ts';
import { decide, type PolicySettings } from './policy.ts';

/** What somebody may do here, for themselves to see. Undefined is what a registry token doesn't tell. */
export interface Standing {
  readonly scopes: readonly string[] | undefined;
  readonly teams: readonly string[] | undefined;
  /** Teams whose repositories they may push to; `*` stands for any. */
  readonly pushTeams: readonly string[] | undefined;
}

interface Rules {
  readonly settings: PolicySettings;
  /** @throws IdentityUnavailable */
  readonly teamsOf: (identity: Identity) => Promise<ReadonlySet<string>>;
}

/**
 * @param identity undefined: the caller is known by a registry token alone
 * @throws OciError UNAVAILABLE while their teams can't be known
 */
export async function standingOf(
  identity: Identity | undefined,
  { settings, teamsOf }: Rules,
): Promise<Standing> {
  if (!settings.isSecured) return { scopes: [], teams: [], pushTeams: ['*'] };
  if (!identity) return { scopes: undefined, teams: undefined, pushTeams: undefined };
  const teams = await teamsOf(identity).catch((error: unknown) => {
    throw toAccessError(error);
  });
  const mayPush = (team: string) =>
    decide({ action: 'push', team, identity, teams }, settings).isAllowed;
  // No team has this name: who may push to it may push to every team.
  const pushTeams = mayPush('*') ? ['*'] : [...teams].filter(mayPush);
  return {
    scopes: [...identity.scopes].toSorted(),
    teams: [...teams].toSorted(),
    pushTeams: pushTeams.toSorted(),
  };
}
