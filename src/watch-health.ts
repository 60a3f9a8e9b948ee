import { observeDependencies } from './auth/json-request.ts';
import type { Config } from './config.ts';
import { Health } from './http/health.ts';
import type { MetadataStore } from './meta/metadata-store.ts';
import type { Metrics } from './metrics.ts';
import type { BlobStore } from './storage/blob-store.ts';
import type { Ingest } from './workers/ingest.ts';

/** What the registry can't serve without. */
export interface Dependencies {
  readonly metadata: Pick<MetadataStore, 'registryId'>;
  readonly store: Pick<BlobStore, 'registryId'>;
  readonly ingest: Pick<Ingest, 'ping'>;
  readonly registryId: string;
}

/** The names of `Dependencies` in health's report. */
type DependencyName = 'database' | 'store' | 'ingest';

export interface HealthWatch {
  readonly health: Health;
  /** Says of a dependency that isn't open yet what is wrong with it; undefined: it is there. */
  note(name: DependencyName, reason: string | undefined): void;
  /** From now on they are asked. */
  ask(dependencies: Dependencies): void;
  stop(): void;
}

/** Says which dependency is there. Those of access control aren't asked for it: their last answer counts. */
export function watchHealth({ access }: Config, metrics: Metrics): HealthWatch {
  const lacks = new Map<DependencyName, string | undefined>(
    (['database', 'store', 'ingest'] as const).map((name) => [name, 'not opened yet']),
  );
  let opened: Dependencies | undefined;
  const check = (name: DependencyName) => async (): Promise<unknown> => {
    if (opened) return CHECKS[name](opened);
    const reason = lacks.get(name);
    if (reason !== undefined) throw new Error(reason);
    return undefined;
  };
  const health = new Health({
    checks: { database: check('database'), store: check('store'), ingest: check('ingest') },
  });
  for (const setting of settingsOf(access)) health.expect(setting);
  const stop = observeDependencies((setting, isAnswered, seconds) => {
    health.saw(setting, isAnswered);
    metrics.dependencyRequest(setting, isAnswered ? 'ok' : 'unavailable', seconds);
  });
  return {
    health,
    note: (name, reason) => void lacks.set(name, reason),
    ask: (dependencies) => {
      opened = dependencies;
    },
    stop,
  };
}

const CHECKS: Readonly<Record<DependencyName, (opened: Dependencies) => Promise<unknown>>> = {
  database: ({ metadata }) => metadata.registryId(),
  store: async ({ store, registryId }) => {
    if ((await store.registryId()) === registryId) return;
    throw new Error('it does not carry the id of this registry');
  },
  ingest: ({ ingest }) => ingest.ping(),
};

/** The variables that name what access control asks. */
function settingsOf(access: Config['access']): string[] {
  const known = {
    HTTP_TOKENINFO_URL: access.tokeninfoUrl,
    HTTP_INTROSPECTION_URL: access.introspection,
    HTTP_OIDC_ISSUER: access.oidc,
    HTTP_OIDC_ISSUERS_FILE: access.oidcIssuersFile,
    HTTP_TEAM_SERVICE_URL: access.teamServiceUrl,
    HTTP_KIO_URL: access.kioUrl,
    HTTP_IIDINFO_URL: access.instanceIdentityUrl,
  };
  return Object.entries(known).flatMap(([name, value]) => (value === undefined ? [] : [name]));
}
