import { type Client, openClient } from '../client.ts';
import type { CommandContext } from '../context.ts';
import { hasStatus } from '../errors.ts';
import { isObject, type JsonObject } from '../json.ts';
import { printable } from '../oauth/token-request.ts';

/**
 * Whom the registry takes the token for; nothing in it where the registry can't say more than that it takes it.
 * @throws HttpError of 401 when it doesn't
 */
export async function askCaller(context: CommandContext, token: string): Promise<JsonObject> {
  const client = await clientWith(context, token);
  try {
    const { value } = await client.json('/whoami');
    return isObject(value) ? value : {};
  } catch (error) {
    if (!hasStatus(error, 404, 405)) throw error;
  }
  // The original has no such endpoint.
  await reach(client);
  return {};
}

/** Whether everybody may do everything there. */
export async function needsNoLogin(context: CommandContext): Promise<boolean> {
  try {
    await reach(await clientWith(context, undefined));
    return true;
  } catch (error) {
    if (hasStatus(error, 401, 403)) return false;
    throw error;
  }
}

/** `jdoe (employees), who may push to acme and shop`; empty where the registry doesn't say */
export function describeCaller(caller: JsonObject): string {
  const [uid] = textsOf(caller['uid']);
  const [realm] = textsOf(caller['realm']);
  if (uid === undefined) return '';
  return `${uid}${realm === undefined ? '' : ` (${realm})`}${describePushes(caller['push_teams'])}`;
}

function describePushes(teams: unknown): string {
  if (!Array.isArray(teams)) return '';
  const names = textsOf(teams);
  if (names.length === 0) return ', who may pull';
  return `, who may push to ${names.includes('*') ? 'all teams' : list(names)}`;
}

async function clientWith(
  { http, url, version }: CommandContext,
  token: string | undefined,
): Promise<Client> {
  const userAgent = `pierone-cli/${version}`;
  return openClient(await http(), { url: await url(), token, userAgent });
}

async function reach(client: Client): Promise<void> {
  (await client.open('/v2/')).cancel();
}

function textsOf(value: unknown): string[] {
  const values: unknown[] = Array.isArray(value) ? value : [value];
  return values
    .filter((text) => typeof text === 'string' && text !== '')
    .map((text) => printable(String(text)));
}

function list(names: readonly string[]): string {
  return names.length < 2 ? names.join('') : `${names.slice(0, -1).join(', ')} and ${names.at(-1)}`;
}
