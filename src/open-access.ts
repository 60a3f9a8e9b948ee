import { Access } from './auth/access.ts';
import type { TokenVerifier } from './auth/identity.ts';
import { InstanceIdentityVerifier } from './auth/instance-identity.ts';
import { IntrospectionVerifier } from './auth/introspection.ts';
import { readIssuer, readIssuersFile } from './auth/issuers-file.ts';
import { KioSource } from './auth/kio.ts';
import { LoginLimiter } from './auth/login-limiter.ts';
import { openIdVerifiers } from './auth/openid.ts';
import { RefusedLogins } from './auth/refused-logins.ts';
import { RegistryTokens } from './auth/registry-token.ts';
import { SharedTokenKeys } from './auth/shared-token-keys.ts';
import { TeamServiceSource } from './auth/team-service.ts';
import type { TeamSource } from './auth/team-source.ts';
import { Teams } from './auth/teams.ts';
import { TeamsFile } from './auth/teams-file.ts';
import { TokenCheck } from './auth/token-check.ts';
import { ConfiguredTokenKeys, type TokenKeys } from './auth/token-keys.ts';
import { TokeninfoVerifier } from './auth/tokeninfo.ts';
import type { AccessConfig } from './config-access.ts';
import type { Log } from './log.ts';
import type { MetadataStore } from './meta/metadata-store.ts';
import type { Metrics } from './metrics.ts';
/** What access control is made of, as far as it has to be ended. */
export interface OpenedAccess {
  readonly access: Access;
  readonly tokens: RegistryTokens;
  close(): Promise<void>;
}

export interface AccessContext {
  readonly metadata: MetadataStore;
  readonly registryId: string;
  /** What registry tokens are made for; the same on all instances. */
  readonly service: string;
  readonly log: Log;
  readonly metrics: Metrics;
}

/**
 * Builds access control from its configuration.
 * @throws IssuerError, TeamsFileError when what the configuration names can't be used
 */
export async function openAccess(
  config: AccessConfig,
  { metadata, registryId, service, log, metrics }: AccessContext,
): Promise<OpenedAccess> {
  const verifiers = await openVerifiers(config);
  const file =
    config.teamsFile === undefined ? undefined : await TeamsFile.open(config.teamsFile, log);
  const keys = openKeys(config, metadata, log);
  const tokens = new RegistryTokens({ keys, registryId, service });
  const teams = openTeams(config, file, metrics);
  const { instanceIdentityUrl: instanceUrl, isSecured, allowsPublicRead } = config;
  const access = new Access({
    settings: {
      isSecured,
      allowsPublicRead,
      knowsTeams: teams.hasSource || tokensNameTeams(config),
    },
    tokens: new TokenCheck(verifiers),
    instances: instanceUrl && new InstanceIdentityVerifier({ url: instanceUrl }),
    teams,
    registryTokens: tokens,
    limiter: new LoginLimiter(),
    refusals: metadata.refusals,
    refusedLogins: new RefusedLogins({ records: metadata.refusals, log }),
    metrics,
  });
  return {
    access,
    tokens,
    close: async () => {
      file?.close();
      await keys.close();
    },
  };
}

/** OpenID Connect tokens are known by their issuer; any other token is asked about at the one URL that there is. */
async function openVerifiers(config: AccessConfig): Promise<TokenVerifier[]> {
  const { oidc, oidcIssuersFile, introspection, tokeninfoUrl } = config;
  const issuers = [
    ...(oidc ? [readIssuer(oidc)] : []),
    ...(oidcIssuersFile === undefined ? [] : await readIssuersFile(oidcIssuersFile)),
  ];
  const verifiers: TokenVerifier[] = openIdVerifiers(issuers, {
    setting: oidcIssuersFile === undefined ? 'HTTP_OIDC_ISSUER' : 'HTTP_OIDC_ISSUERS_FILE',
  });
  if (introspection) {
    const { url, ...rest } = introspection;
    const setting = 'HTTP_INTROSPECTION_URL';
    verifiers.push(new IntrospectionVerifier({ url: url.href, ...rest, setting }));
  }
  if (tokeninfoUrl) verifiers.push(new TokeninfoVerifier({ url: tokeninfoUrl.href }));
  return verifiers;
}

function openKeys(config: AccessConfig, metadata: MetadataStore, log: Log): TokenKeys {
  if (config.tokenKeys) return new ConfiguredTokenKeys(config.tokenKeys);
  const keys = new SharedTokenKeys({ records: metadata.tokenKeys, log });
  if (config.isSecured) keys.start();
  return keys;
}

function tokensNameTeams({ oidc, oidcIssuersFile, introspection }: AccessConfig): boolean {
  const claims = [oidc?.teamsClaim, introspection?.teamsClaim, oidcIssuersFile];
  return claims.some((claim) => claim !== undefined);
}

function openTeams(config: AccessConfig, file: TeamsFile | undefined, metrics: Metrics): Teams {
  const { teamServiceUrl, kioUrl, usernamePrefix } = config;
  const remote: TeamSource[] = [];
  if (kioUrl) remote.push(new KioSource({ url: kioUrl, usernamePrefix }));
  if (teamServiceUrl) {
    remote.push(
      new TeamServiceSource({ url: teamServiceUrl, knowsServices: kioUrl === undefined }),
    );
  }
  return new Teams({ local: file ? [file] : [], remote }, { metrics });
}
