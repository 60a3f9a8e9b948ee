import type { Environment } from './environment.ts';
import type { Http } from './http.ts';
import { Logins } from './login/logins.ts';
import { placesOf, stateFile } from './login/places.ts';
import { registryHost } from './login/registry-host.ts';
import type { Settings } from './settings.ts';

/** The token's name in sources that have several. */
const NAME = 'pierone';

export interface TokenQuest {
  readonly environment: Environment;
  readonly settings: Settings;
  /** Which registry the token is for; undefined for any. */
  readonly url: URL | undefined;
  /** For requests to an identity provider. */
  readonly http: () => Promise<Http>;
}

export interface FoundToken {
  readonly token: string;
  /** In words, for people. */
  readonly source: string;
}

type Source = (quest: TokenQuest) => Promise<FoundToken | undefined>;

/** In their order; what a source needs is loaded when it is its turn. */
const SOURCES: readonly Source[] = [
  givenToken,
  storedToken,
  zignToken,
  listedToken,
  fileToken,
  serviceToken,
  loginToken,
];

/**
 * The OAuth 2 token for the registry: the first source that has one. Asks no person.
 * @throws CliError when a source can't be read, or its identity provider gives none
 */
export async function findToken(quest: TokenQuest): Promise<FoundToken | undefined> {
  for (const source of SOURCES) {
    const found = await source(quest);
    if (found) return found;
  }
  return undefined;
}

async function givenToken({ environment, settings }: TokenQuest): Promise<FoundToken | undefined> {
  const token = settings.get('token');
  if (token === undefined) return undefined;
  if (settings.flag('token') !== undefined) return { token, source: '--token' };
  return {
    token,
    source: environment['PIERONE_TOKEN'] ? 'PIERONE_TOKEN' : settings.configFile.path,
  };
}

/** What was given for this registry alone, by `pierone login --token` or `docker login`. */
async function storedToken(quest: TokenQuest): Promise<FoundToken | undefined> {
  if (!quest.url) return undefined;
  const { stored } = (await openLogins(quest.environment).find(registryHost(quest.url))) ?? {};
  if (stored?.username !== 'oauth2') return undefined;
  return { token: stored.secret, source: 'the login at this registry' };
}

async function zignToken(quest: TokenQuest): Promise<FoundToken | undefined> {
  const { zignToken: find, zignFile } = await import('./login/zign-file.ts');
  const path = zignFile(placesOf(quest.environment));
  const token = await find(path, NAME);
  return token === undefined ? undefined : { token, source: path };
}

/** `pierone=TOKEN,other=TOKEN` */
async function listedToken({ environment }: TokenQuest): Promise<FoundToken | undefined> {
  const entries = (environment['OAUTH2_ACCESS_TOKENS'] ?? '').split(',').map((text) => text.trim());
  const entry = entries.find((candidate) => candidate.startsWith(`${NAME}=`));
  const token = entry?.slice(NAME.length + 1);
  return token ? { token, source: 'OAUTH2_ACCESS_TOKENS' } : undefined;
}

async function fileToken({ environment }: TokenQuest): Promise<FoundToken | undefined> {
  if (!environment['CREDENTIALS_DIR']) return undefined;
  const { tokenFile } = await import('./login/service-files.ts');
  const token = await tokenFile(environment);
  return token === undefined ? undefined : { token, source: 'the token in CREDENTIALS_DIR' };
}

async function serviceToken(quest: TokenQuest): Promise<FoundToken | undefined> {
  if (!quest.environment['CREDENTIALS_DIR']) return undefined;
  const { serviceLogin } = await import('./login/service-files.ts');
  const login = await serviceLogin(quest.environment);
  if (!login) return undefined;
  const { serviceToken: grant } = await import('./oauth/password-grant.ts');
  const token = await grant(
    await quest.http(),
    await openTokenStore(quest.environment),
    login.endpoint,
    login,
  );
  return { token, source: `${login.username} in CREDENTIALS_DIR` };
}

/** Of an earlier login of a person. */
async function loginToken(quest: TokenQuest): Promise<FoundToken | undefined> {
  if (quest.settings.get('oidc_issuer') === undefined) return undefined;
  const { issuerSettings, issuerToken } = await import('./oauth/issuer-token.ts');
  const issuer = issuerSettings(quest.settings);
  if (!issuer) return undefined;
  const token = await issuerToken(
    await quest.http(),
    await openTokenStore(quest.environment),
    issuer,
  );
  return token === undefined ? undefined : { token, source: `the login at ${issuer.issuer}` };
}

export function openLogins(environment: Environment): Logins {
  return new Logins(stateFile(placesOf(environment), 'logins.json'));
}

export async function openTokenStore(environment: Environment) {
  const { TokenStore } = await import('./oauth/token-store.ts');
  return new TokenStore(stateFile(placesOf(environment), 'tokens.json'));
}
