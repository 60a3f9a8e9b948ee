#!/usr/bin/env node
import type { Environment } from './environment.ts';
import { CliError } from './errors.ts';
import { parseObject, textOf } from './json.ts';
import type { Login } from './login/logins.ts';
import { askedHost } from './login/registry-host.ts';
import { findToken, openLogins } from './token-sources.ts';

/*
 * docker-credential-pierone: what docker, podman and others ask for the credentials of a registry. Errors go to standard output,
 * where its callers read them.
 */

/** Its callers know this one by its words: then they go on without credentials. */
const NOT_FOUND = 'credentials not found in native keychain';
const USER = 'oauth2';
const MAX_INPUT_BYTES = 64 * 1024;

const environment: Environment = process.env;

async function main(args: readonly string[]): Promise<string> {
  const [action = ''] = args;
  if (args.length !== 1)
    throw new CliError('usage: docker-credential-pierone get|store|erase|list|version');
  switch (action) {
    case 'get':
      return get((await readInput()).trim());
    case 'store':
      return store(await readInput());
    case 'erase':
      return erase((await readInput()).trim());
    case 'list':
      return list();
    case 'version':
      return `docker-credential-pierone ${await readVersion()}\n`;
    default:
      throw new CliError(`Unknown credential action \`${action}\``);
  }
}

/** Only for a registry that the user has logged in to: a token must reach nobody else. */
async function get(server: string): Promise<string> {
  if (server === '') throw new CliError('no credentials server URL');
  const host = askedHost(server);
  const login = host === undefined ? undefined : await openLogins(environment).find(host);
  const found = login && (login.stored ?? (await currentToken(login)));
  if (!found) throw new CliError(NOT_FOUND);
  const { username, secret } = found;
  return `${JSON.stringify({ ServerURL: server, Username: username, Secret: secret })}\n`;
}

async function currentToken({ url }: Login) {
  const { readConfigFile } = await import('./config-file.ts');
  const { Settings } = await import('./settings.ts');
  const settings = new Settings(
    {},
    environment,
    await readConfigFile(environment, process.platform),
  );
  const found = await findToken({
    environment,
    settings,
    url: new URL(url),
    async http() {
      const { openHttp } = await import('./open-http.ts');
      const caFile = settings.get('ca_file');
      return openHttp({ environment, caFile, debug: () => undefined });
    },
  });
  return found && { username: USER, secret: found.token };
}

/** `docker login`: what somebody gives for a registry is for that one alone. */
async function store(text: string): Promise<string> {
  const credentials = parseObject(text) ?? {};
  const server = textOf(credentials, 'ServerURL');
  const username = textOf(credentials, 'Username');
  const secret = textOf(credentials, 'Secret');
  if (server === undefined) throw new CliError('no credentials server URL');
  if (username === undefined) throw new CliError('no credentials username');
  const host = askedHost(server);
  if (host === undefined || secret === undefined) throw new CliError('no credentials to store');
  const logins = openLogins(environment);
  const url = (await logins.find(host))?.url ?? `https://${host}`;
  await logins.put({ host, url, stored: { username, secret } });
  return '';
}

/** `docker logout`. Nothing to erase is no error: podman 4 fails on one. */
async function erase(server: string): Promise<string> {
  if (server === '') throw new CliError('no credentials server URL');
  const host = askedHost(server);
  if (host !== undefined) await openLogins(environment).remove(host);
  return '';
}

async function list(): Promise<string> {
  const logins = await openLogins(environment).all();
  const users = logins.map(({ host, stored }) => [host, stored?.username ?? USER] as const);
  return `${JSON.stringify(Object.fromEntries(users))}\n`;
}

async function readInput(): Promise<string> {
  let text = '';
  for await (const piece of process.stdin.setEncoding('utf8')) {
    text += String(piece);
    if (text.length > MAX_INPUT_BYTES) throw new CliError('too long an input');
  }
  return text;
}

async function readVersion(): Promise<string> {
  const { readFile } = await import('node:fs/promises');
  const text = await readFile(new URL('../../package.json', import.meta.url), 'utf8');
  return textOf(parseObject(text) ?? {}, 'version') ?? '';
}

try {
  process.stdout.write(await main(process.argv.slice(2)));
} catch (error) {
  process.stdout.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}
