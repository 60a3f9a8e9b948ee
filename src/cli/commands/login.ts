import { changeConfigFile } from '../config-file.ts';
import type { CommandContext } from '../context.ts';
import { CliError, EXIT, hasStatus, UsageError } from '../errors.ts';
import type { JsonObject } from '../json.ts';
import { askCaller, describeCaller, needsNoLogin } from '../login/caller.ts';
import {
  checkFiles,
  credentialFiles,
  isHelperInstalled,
  writeLogin,
} from '../login/credential-files.ts';
import type { StoredLogin } from '../login/docker-config.ts';
import { registryHost } from '../login/registry-host.ts';
import { parseBaseUrl } from '../open-context.ts';
import { type FoundToken, findToken, openLogins } from '../token-sources.ts';

/** Who asks, in docker's configuration, with an OAuth 2 token. */
const USER = 'oauth2';
/** Sources that are gone with the command line or its environment. */
const ENVIRONMENT_SOURCES: ReadonlySet<string> = new Set(['PIERONE_TOKEN', 'OAUTH2_ACCESS_TOKENS']);

export async function run(context: CommandContext): Promise<void> {
  const url = await chooseUrl(context);
  const here: CommandContext = { ...context, url: async () => url };
  const isDone = await (context.input.flag('instanceIdentity')
    ? logInAsMachine(here, url)
    : logInByToken(here, url));
  if (isDone) await remember(context, url);
}

/** @returns false where there is nothing to log in to */
async function logInByToken(context: CommandContext, url: string): Promise<boolean> {
  const found = await getToken(context, url);
  if (!found) return false;
  const { token, caller } = found;
  await writeFiles(context, url, found);
  const who = describeCaller(caller);
  const { host } = new URL(url);
  await (context.output.format === 'json'
    ? context.output.json({ url, ...caller })
    : context.output.line(`Logged in to ${host}${who && ` as ${who}`}.`));
  context.debug(`the token is from ${token.source}`);
  return true;
}

/** Asked at a terminal where none is set. */
async function chooseUrl(context: CommandContext): Promise<string> {
  const isKnown = context.settings.get('url') !== undefined;
  if (isKnown) return context.url();
  if (!context.isInteractive) {
    throw new UsageError('Which registry? Give --url https://HOST, or set PIERONE_URL.');
  }
  return parseBaseUrl(await ask(context, 'URL of the registry: '));
}

/** Where nothing is set yet this registry is from now on, so that other commands need no --url. */
async function remember(
  { settings, environment, note }: CommandContext,
  url: string,
): Promise<void> {
  const { configFile } = settings;
  if (configFile.values['url'] !== undefined) return;
  if (settings.flag('url') !== undefined && environment['PIERONE_URL']) return;
  try {
    await changeConfigFile(configFile, { url });
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    note(`The URL is not kept, so other commands need --url: ${reason}`);
  }
}

async function ask({ streams }: CommandContext, question: string): Promise<string> {
  const { createInterface } = await import('node:readline/promises');
  const lines = createInterface({ input: streams.stdin, output: streams.stderr });
  try {
    return (await lines.question(question)).trim();
  } finally {
    lines.close();
  }
}

interface AcceptedToken {
  readonly token: FoundToken;
  readonly caller: JsonObject;
}

/** One that the registry takes. undefined: everybody may use this registry. */
async function getToken(context: CommandContext, url: string): Promise<AcceptedToken | undefined> {
  const { input } = context;
  const found =
    input.flag('browser') || input.flag('device') ? undefined : await findToken(questOf(context));
  if (found) {
    try {
      return { token: found, caller: await askCaller(context, found.token) };
    } catch (error) {
      if (!hasStatus(error, 401)) throw error;
      const host = registryHost(new URL(url));
      const isOwn = found.source === '--token' || !(await mayAskPerson(context));
      const message = `${host} does not accept the token from ${found.source}: get a new one.`;
      if (isOwn) throw new CliError(message, EXIT.notLoggedIn, { cause: error });
      context.note(message);
    }
  }
  const token = await askPerson(context, url);
  return token && { token, caller: await askCaller(context, token.token) };
}

/** Without what was kept for this registry: that is what a login replaces. */
function questOf({ environment, settings, http }: CommandContext) {
  return { environment, settings, http, url: undefined };
}

async function mayAskPerson({ isInteractive, settings }: CommandContext): Promise<boolean> {
  return isInteractive && settings.get('oidc_issuer') !== undefined;
}

async function askPerson(context: CommandContext, url: string): Promise<FoundToken | undefined> {
  const { issuerSettings } = await import('../oauth/issuer-token.ts');
  const issuer = issuerSettings(context.settings);
  const isWanted = context.input.flag('browser') || context.input.flag('device');
  if (issuer && context.isInteractive) {
    const { logInAsPerson } = await import('../login/person.ts');
    return { token: await logInAsPerson(context, issuer), source: `the login at ${issuer.issuer}` };
  }
  if (isWanted && !issuer) {
    throw new UsageError(
      'Where do people log in? Set PIERONE_OIDC_ISSUER, or oidc_issuer in the configuration file, to the URL of the identity provider.',
    );
  }
  if (isWanted) throw new UsageError('--browser and --device need a terminal.');
  const { host } = new URL(url);
  if (await needsNoLogin(context)) {
    await context.output.line(`${host} wants no login: everybody may pull and push.`);
    return undefined;
  }
  if (!context.input.flag('credentialHelper')) throw noToken(host);
  // As the original did it, in the setup of a machine whose jobs bring their tokens with them.
  await nameHelper(context, url);
  await remember(context, url);
  context.note(`${noToken(host).message} docker looks for one at each pull and push.`);
  await context.output.line(`docker is set up for ${host}, but nobody is logged in.`);
  return undefined;
}

function noToken(host: string): CliError {
  return new CliError(
    `There is no token for ${host}: set PIERONE_TOKEN, OAUTH2_ACCESS_TOKENS or CREDENTIALS_DIR, or PIERONE_OIDC_ISSUER to log in at a terminal (docs/login.md).`,
    EXIT.notLoggedIn,
  );
}

async function writeFiles(
  context: CommandContext,
  url: string,
  { token: { token, source } }: AcceptedToken,
): Promise<void> {
  const { environment, input, note } = context;
  const host = registryHost(new URL(url));
  const files = filesOf(context);
  const login: StoredLogin = { username: USER, secret: token };
  if (!input.flag('credentialHelper')) {
    await checkFiles(files, host);
    await writeLogin(files, host, login);
    await openLogins(environment).remove(host);
    note(`The token itself is in ${files.join(' and ')}, where it is of use until it expires.`);
    return;
  }
  // Only what has no other place is kept: all else is looked for anew each time.
  await nameHelper(context, url, source === '--token' ? login : undefined);
  if (ENVIRONMENT_SOURCES.has(source)) {
    note(`docker needs ${source} in its environment too: it is looked for at each pull and push.`);
  }
}

/** In the files of docker and podman; it gives tokens to this registry from now on. */
async function nameHelper(
  context: CommandContext,
  url: string,
  stored?: StoredLogin,
): Promise<void> {
  const { environment, note } = context;
  const host = registryHost(new URL(url));
  const files = filesOf(context);
  await checkFiles(files, host);
  await openLogins(environment).put({ host, url, ...(stored && { stored }) });
  await writeLogin(files, host, undefined);
  if (!(await isHelperInstalled(environment))) {
    note(
      "docker-credential-pierone is not on the PATH, and docker needs it there: install Pier One's package globally, or log in with --no-credential-helper.",
    );
  }
}

/** With the document of the EC2 machine that this runs on, which may pull. */
async function logInAsMachine(context: CommandContext, url: string): Promise<boolean> {
  const machine = await import('../login/instance-document.ts');
  const document = await machine.readInstanceDocument(context.environment);
  await machine.checkDocument(await context.http(), url, document);
  const host = registryHost(new URL(url));
  await checkFiles(filesOf(context), host);
  await writeLogin(filesOf(context), host, { username: machine.MACHINE, secret: document });
  await openLogins(context.environment).remove(host);
  await (context.output.format === 'json'
    ? context.output.json({ url, uid: machine.MACHINE })
    : context.output.line(`Logged in to ${host} as this machine, which may pull.`));
  return true;
}

function filesOf({ environment, input }: CommandContext): string[] {
  return credentialFiles(environment, {
    podman: input.flag('podman'),
    authFile: input.text('authFile'),
  });
}
