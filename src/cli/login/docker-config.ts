import { isObject, type JsonObject } from '../json.ts';

/*
 * The configuration of docker's client, and podman's auth.json, which has the same form: `auths` are secrets as they are, `credHelpers`
 * name for a registry the program docker-credential-NAME that knows them.
 */

export const HELPER = 'pierone';
/** The secret of this registry is in the file itself. */
const NO_HELPER = '';
/** docker's own. */
const INDENT = '\t';

export interface StoredLogin {
  readonly username: string;
  readonly secret: string;
}

/** A file that isn't what docker or podman would have written. */
export class BrokenConfig extends Error {}

/** The helper is asked for the secret of this registry from now on. */
export function withHelper(text: string | undefined, host: string): string {
  return edit(text, (config) => {
    removeAuths(config, host);
    section(config, 'credHelpers', true)[host] = HELPER;
  });
}

/** The secret stands in the file. */
export function withSecret(text: string | undefined, host: string, login: StoredLogin): string {
  return edit(text, (config) => {
    removeHelper(config, host);
    removeAuths(config, host);
    const auth = Buffer.from(`${login.username}:${login.secret}`).toString('base64');
    section(config, 'auths', true)[host] = { auth };
    // Else docker would ask the store that it has for all registries, and not look here.
    if (config['credsStore']) section(config, 'credHelpers', true)[host] = NO_HELPER;
  });
}

/** Without what was written for this registry; undefined when there is nothing. A helper of somebody else stays. */
export function withoutLogin(text: string | undefined, host: string): string | undefined {
  if (text === undefined) return undefined;
  let isChanged = false;
  const edited = edit(text, (config) => {
    const hadHelper = removeHelper(config, host);
    isChanged = removeAuths(config, host) || hadHelper;
  });
  return isChanged ? edited : undefined;
}

function edit(text: string | undefined, change: (config: JsonObject) => void): string {
  const config = parse(text ?? '');
  change(config);
  const indent = /^\{\r?\n([ \t]+)"/.exec(text?.trimStart() ?? '')?.[1];
  const isOneLine = text !== undefined && /^\s*\{.*"/.test(text) && !text.trim().includes('\n');
  const end = text === undefined || text.endsWith('\n') ? '\n' : '';
  return JSON.stringify(config, undefined, isOneLine ? 0 : (indent ?? INDENT)) + end;
}

function parse(text: string): JsonObject {
  // podman makes empty files.
  if (text.trim() === '') return {};
  let config: unknown;
  try {
    config = JSON.parse(text);
  } catch {
    // The error shows a piece of the file, which may be of a secret.
    throw new BrokenConfig('it is no JSON');
  }
  if (!isObject(config)) throw new BrokenConfig('it is no JSON object');
  return config;
}

function section(config: JsonObject, name: string, make = false): JsonObject {
  const found = config[name] ?? {};
  if (!isObject(found)) throw new BrokenConfig(`its "${name}" is no JSON object`);
  if (make) config[name] = found;
  return found;
}

/** docker finds a login by a URL of the host as well, and would take it. */
function removeAuths(config: JsonObject, host: string): boolean {
  const auths = section(config, 'auths');
  const names = Object.keys(auths).filter((name) => isOf(name, host));
  for (const name of names) delete auths[name];
  return names.length > 0;
}

function removeHelper(config: JsonObject, host: string): boolean {
  const helpers = section(config, 'credHelpers');
  if (helpers[host] !== HELPER && helpers[host] !== NO_HELPER) return false;
  delete helpers[host];
  return true;
}

/** `HOST`, or `https://HOST/v2/`; not `HOST/team`, which podman keeps beside it. */
function isOf(name: string, host: string): boolean {
  const [, scheme, rest = ''] = /^(https?:\/\/)?(.*)$/i.exec(name) ?? [];
  return rest === host || (scheme !== undefined && rest.split('/')[0] === host);
}
