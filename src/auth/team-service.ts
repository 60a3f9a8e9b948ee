import { z } from 'zod';
import { askAsBearer, endpointBelow } from './ask-as-bearer.ts';
import { namesOf } from './claims.ts';
import { type Identity, IdentityUnavailable } from './identity.ts';
import type { TeamSource } from './team-source.ts';

const SETTING = 'HTTP_TEAM_SERVICE_URL';
const name = z.string().min(1);
/** A team is named by its `name`, or by its `id` where it has none. */
const accounts = z.array(
  z.union([
    name,
    z.object({ name }).transform((account) => account.name),
    z.object({ id: name }).transform((account) => account.id),
  ]),
);

export interface TeamServiceOptions {
  readonly url: URL;
  /** Asks for the teams of services too: where there is no Kio. */
  readonly knowsServices?: boolean;
}

/** Asks the team service for the teams of an employee: `GET /api/accounts/aws?member=UID`. */
export class TeamServiceSource implements TeamSource {
  readonly #url: URL;
  readonly #realms: ReadonlySet<string | undefined>;

  constructor({ url, knowsServices = false }: TeamServiceOptions) {
    this.#url = endpointBelow(url, 'api', 'accounts', 'aws');
    this.#realms = new Set(knowsServices ? ['employees', 'services'] : ['employees']);
  }

  async teamsOf(identity: Identity, token: string): Promise<ReadonlySet<string> | undefined> {
    const { uid, realm, issuer } = identity.principal;
    if (issuer !== undefined || !this.#realms.has(realm)) return undefined;
    const url = new URL(this.#url);
    url.searchParams.set('member', uid);
    const answer = await askAsBearer(SETTING, url, token);
    if (!answer) return new Set();
    const teams = accounts.safeParse(answer.body);
    if (!teams.success) throw new IdentityUnavailable(SETTING, 'it answers with no list of teams');
    return new Set(namesOf(teams.data));
  }
}
