import type { Metrics } from '../metrics.ts';
import type { Identity } from './identity.ts';
import { SharedLookup } from './shared-lookup.ts';
import type { TeamSource } from './team-source.ts';

const LIFETIME_MS = 5 * 60_000;
/** Someone who was just put into a team shouldn't wait for long. */
const EMPTY_LIFETIME_MS = 30_000;
const MAX_ENTRIES = 10_000;

export interface TeamSources {
  /** Know at once, and are asked each time, before the others. */
  readonly local: readonly TeamSource[];
  /** Are asked over the network, one after the other; what the first one that knows the principal says is remembered. */
  readonly remote: readonly TeamSource[];
}

export interface TeamsOptions {
  readonly maxEntries?: number;
  readonly now?: () => number;
  readonly metrics?: Pick<Metrics, 'teamLookup'> | undefined;
}

/** The teams of whoever has a valid credential. */
export class Teams {
  /** False: nobody is in a team, except those whose token names teams. */
  readonly hasSource: boolean;
  readonly #sources: TeamSources;
  readonly #lookup: SharedLookup<ReadonlySet<string>>;
  readonly #metrics: TeamsOptions['metrics'];

  constructor(sources: TeamSources, { maxEntries = MAX_ENTRIES, now, metrics }: TeamsOptions = {}) {
    this.#metrics = metrics;
    this.#sources = sources;
    this.hasSource = sources.local.length + sources.remote.length > 0;
    this.#lookup = new SharedLookup<ReadonlySet<string>>({
      maxEntries,
      lifetimeMs: ({ size }) => (size > 0 ? LIFETIME_MS : EMPTY_LIFETIME_MS),
      ...(now && { now }),
    });
  }

  /**
   * Those that the token names, else those of the first source that knows the principal; none for machines.
   * @param token the bearer's own, for sources that are asked with it
   * @throws IdentityUnavailable while they can't be known
   */
  async teamsOf(identity: Identity, token: string): Promise<ReadonlySet<string>> {
    if (identity.kind === 'instance') return new Set();
    if (identity.teams) return this.#counted('token', identity.teams);
    const { local, remote } = this.#sources;
    const known = await askInTurn(local, identity, token);
    if (known) return this.#counted('local', known);
    if (remote.length === 0) return new Set();
    const { issuer = null, realm = null, uid } = identity.principal;
    // Without the token: whoever has another one for the same principal has the same teams.
    const key = JSON.stringify([issuer, realm, uid]);
    let source = 'cache';
    try {
      const teams = await this.#lookup.get(key, async () => {
        source = 'remote';
        return (await askInTurn(remote, identity, token)) ?? new Set<string>();
      });
      return this.#counted(source, teams);
    } catch (error) {
      this.#metrics?.teamLookup(source, 'unavailable');
      throw error;
    }
  }

  #counted(source: string, teams: ReadonlySet<string>): ReadonlySet<string> {
    this.#metrics?.teamLookup(source, teams.size > 0 ? 'found' : 'none');
    return teams;
  }
}

async function askInTurn(
  sources: readonly TeamSource[],
  identity: Identity,
  token: string,
): Promise<ReadonlySet<string> | undefined> {
  for (const source of sources) {
    const teams = await source.teamsOf(identity, token);
    if (teams) return teams;
  }
  return undefined;
}
