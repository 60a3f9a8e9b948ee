import { randomUUID } from 'node:crypto';
import { endpointBelow } from '../auth/ask-as-bearer.ts';
import { InvalidCredential, type TokenVerifier } from '../auth/identity.ts';
import { InstanceIdentityVerifier } from '../auth/instance-identity.ts';
import { IntrospectionVerifier } from '../auth/introspection.ts';
import { readIssuer, readIssuersFile } from '../auth/issuers-file.ts';
import { requestJson } from '../auth/json-request.ts';
import { IssuerKeys } from '../auth/openid-keys.ts';
import { TeamsFile } from '../auth/teams-file.ts';
import { TokeninfoVerifier } from '../auth/tokeninfo.ts';
import type { AccessConfig } from '../config-access.ts';
import type { Log } from '../log.ts';
import { checkClock } from './check-clock.ts';
import { type Finding, failed, ok, problem, warning } from './finding.ts';

/** Whom nobody knows: a dependency that says so is there. */
const NOBODY = `pierone-doctor-${randomUUID()}`;

/** Those that say who asks, and in which team. */
export async function* checkAccess(config: AccessConfig, log: Log): AsyncGenerator<Finding> {
  if (!config.isSecured) {
    yield warning('access control', 'none: everyone who reaches the registry may pull and push');
    return;
  }
  yield* checkIssuers(config);
  yield* checkTokenUrls(config);
  yield* checkTeamSources(config, log);
}

async function* checkIssuers(config: AccessConfig): AsyncGenerator<Finding> {
  const { oidc, oidcIssuersFile: file } = config;
  const setting = file === undefined ? 'HTTP_OIDC_ISSUER' : 'HTTP_OIDC_ISSUERS_FILE';
  try {
    const entries = [
      ...(oidc ? [readIssuer(oidc)] : []),
      ...(file === undefined ? [] : await readIssuersFile(file)),
    ];
    for (const issuer of new Set(entries.map((entry) => entry.issuer))) {
      yield* checkIssuer(setting, issuer);
    }
  } catch (error) {
    yield failed(setting, error);
  }
}

async function* checkIssuer(setting: string, issuer: string): AsyncGenerator<Finding> {
  try {
    await new IssuerKeys({ issuer, setting }).check();
    yield ok(setting, `${issuer} tells its keys`);
    yield* checkClock(setting, new URL(issuer));
  } catch (error) {
    yield problem(setting, `${issuer} can't be used: ${reasonOf(setting, error)}`);
  }
}

async function* checkTokenUrls(config: AccessConfig): AsyncGenerator<Finding> {
  const { tokeninfoUrl, introspection, instanceIdentityUrl } = config;
  if (tokeninfoUrl) {
    yield* checkVerifier(new TokeninfoVerifier({ url: tokeninfoUrl.href }), tokeninfoUrl);
    yield* checkClock('HTTP_TOKENINFO_URL', tokeninfoUrl);
  }
  if (introspection) {
    const { url, ...rest } = introspection;
    const setting = 'HTTP_INTROSPECTION_URL';
    const verifier = new IntrospectionVerifier({ url: url.href, ...rest, setting });
    yield* checkVerifier(verifier, url);
  }
  if (instanceIdentityUrl) {
    const verifier = new InstanceIdentityVerifier({ url: instanceIdentityUrl });
    const setting = 'HTTP_IIDINFO_URL';
    const asked = { setting, verify: (document: string) => verifier.verify(document) };
    yield* checkVerifier(asked, instanceIdentityUrl);
  }
}

/** Asks about a token that is none. */
async function* checkVerifier(
  verifier: Pick<TokenVerifier, 'setting' | 'verify'>,
  url: URL,
): AsyncGenerator<Finding> {
  const { setting } = verifier;
  const shown = withoutQuery(url);
  try {
    await verifier.verify(NOBODY);
    yield problem(setting, `${shown} takes a made-up credential for valid: it must not be used`);
  } catch (error) {
    yield error instanceof InvalidCredential
      ? ok(setting, `${shown} answers`)
      : problem(setting, `${shown} can't be asked: ${reasonOf(setting, error)}`);
  }
}

async function* checkTeamSources(config: AccessConfig, log: Log): AsyncGenerator<Finding> {
  const { teamServiceUrl, kioUrl, teamsFile } = config;
  if (teamServiceUrl) {
    const url = endpointBelow(teamServiceUrl, 'api', 'accounts', 'aws');
    url.searchParams.set('member', NOBODY);
    yield await checkTeamUrl('HTTP_TEAM_SERVICE_URL', url);
  }
  if (kioUrl) yield await checkTeamUrl('HTTP_KIO_URL', endpointBelow(kioUrl, 'apps', NOBODY));
  if (teamsFile !== undefined) yield await checkTeamsFile(teamsFile, log);
}

/** It is asked with the tokens of clients, of which there is none here. */
async function checkTeamUrl(setting: string, url: URL): Promise<Finding> {
  const shown = withoutQuery(url);
  try {
    const { status } = await requestJson(setting, url, { headers: { accept: 'application/json' } });
    return [200, 401, 403, 404].includes(status)
      ? ok(setting, `${shown} answers`)
      : problem(setting, `${shown} answers with status ${status}: correct the URL`);
  } catch (error) {
    return problem(setting, `${shown} can't be asked: ${reasonOf(setting, error)}`);
  }
}

async function checkTeamsFile(file: string, log: Log): Promise<Finding> {
  const setting = 'TEAMS_FILE';
  try {
    const teams = await TeamsFile.open(file, log);
    teams.close();
    return ok(setting, `${file} can be read`);
  } catch (error) {
    return failed(setting, error);
  }
}

/** Errors begin with the setting, which stands before the line anyhow. */
function reasonOf(setting: string, error: unknown): string {
  const { message } = failed(setting, error);
  return message.startsWith(`${setting}: `) ? message.slice(setting.length + 2) : message;
}

/** A query may hold a secret. */
function withoutQuery({ origin, pathname }: URL): string {
  return `${origin}${pathname}`;
}
