import { z } from 'zod';
import { askAsBearer, endpointBelow } from './ask-as-bearer.ts';
import { namesOf } from './claims.ts';
import { type Identity, IdentityUnavailable } from './identity.ts';
import type { TeamSource } from './team-source.ts';

const SETTING = 'HTTP_KIO_URL';
const application = z.object({ team_id: z.string().min(1), active: z.boolean().optional() });
/** Nothing else is asked for: what looks like a path could name another application. */
const APPLICATION_ID = /^[A-Za-z0-9][\w.-]{0,254}$/;

export interface KioOptions {
  readonly url: URL;
  /** What stands before the application's id in the uid of each service. */
  readonly usernamePrefix?: string | undefined;
}

/** Asks Kio for the team that an application belongs to: `GET /apps/APP-ID`. */
export class KioSource implements TeamSource {
  readonly #url: URL;
  readonly #prefix: string | undefined;

  constructor({ url, usernamePrefix }: KioOptions) {
    this.#url = url;
    this.#prefix = usernamePrefix;
  }

  async teamsOf(identity: Identity, token: string): Promise<ReadonlySet<string> | undefined> {
    const { uid, realm, issuer } = identity.principal;
    if (issuer !== undefined || realm !== 'services') return undefined;
    const id = applicationOf(uid, this.#prefix);
    if (id === undefined) return new Set();
    const answer = await askAsBearer(SETTING, endpointBelow(this.#url, 'apps', id), token);
    if (!answer) return new Set();
    const app = application.safeParse(answer.body);
    if (!app.success) throw new IdentityUnavailable(SETTING, 'it answers with no application');
    return new Set(app.data.active === false ? [] : namesOf(app.data.team_id));
  }
}

/** `stups_kio` is `kio`, unless a prefix is said. Undefined: no application has such a uid. */
function applicationOf(uid: string, prefix: string | undefined): string | undefined {
  if (prefix !== undefined && !uid.startsWith(prefix)) return undefined;
  const id = uid.slice(prefix?.length ?? uid.lastIndexOf('_') + 1);
  return APPLICATION_ID.test(id) ? id : undefined;
}
