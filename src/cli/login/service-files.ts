import { join } from 'node:path';
import type { Environment } from '../environment.ts';
import { UsageError } from '../errors.ts';
import { type JsonObject, parseObject, textOf } from '../json.ts';
import type { ServiceCredentials } from '../oauth/password-grant.ts';
import { readIfThere } from '../private-file.ts';

/*
 * Files by which a service gets its tokens, in CREDENTIALS_DIR: the token itself, which something renews, or user and client for
 * the password grant.
 */

export interface ServiceLogin extends ServiceCredentials {
  readonly endpoint: URL;
}

/** The token that lies there. */
export async function tokenFile(environment: Environment): Promise<string | undefined> {
  const directory = environment['CREDENTIALS_DIR'];
  if (!directory) return undefined;
  const text = await readIfThere(join(directory, 'pierone-token-secret'));
  return text?.trim() || undefined;
}

/** @throws UsageError where it is there in part */
export async function serviceLogin(environment: Environment): Promise<ServiceLogin | undefined> {
  const directory = environment['CREDENTIALS_DIR'];
  if (!directory) return undefined;
  const files = { user: join(directory, 'user.json'), client: join(directory, 'client.json') };
  const [user, client] = await Promise.all([readIfThere(files.user), readIfThere(files.client)]);
  if (user === undefined && client === undefined) return undefined;
  const userFile = objectOf(user, files.user);
  const clientFile = objectOf(client, files.client);
  return {
    endpoint: tokenEndpoint(environment, directory),
    username: member(userFile, 'application_username', files.user),
    password: member(userFile, 'application_password', files.user),
    client: {
      id: member(clientFile, 'client_id', files.client),
      secret: member(clientFile, 'client_secret', files.client),
    },
  };
}

function tokenEndpoint(environment: Environment, directory: string): URL {
  const text = environment['OAUTH2_ACCESS_TOKEN_URL'] || environment['OAUTH_ACCESS_TOKEN_URL'];
  if (!text) {
    throw new UsageError(
      `${directory} has a user and a client, but OAUTH2_ACCESS_TOKEN_URL is not set: it says where they get a token.`,
    );
  }
  if (/^https?:\/\//i.test(text) && URL.canParse(text)) return new URL(text);
  throw new UsageError(`OAUTH2_ACCESS_TOKEN_URL must be a URL, not ${text}.`);
}

function objectOf(text: string | undefined, path: string): JsonObject {
  if (text === undefined) throw new UsageError(`${path} is missing, and needed to get a token.`);
  const object = parseObject(text);
  if (object) return object;
  throw new UsageError(`${path} must be a JSON object, and can't be read as one.`);
}

function member(object: JsonObject, name: string, path: string): string {
  const text = textOf(object, name);
  if (text !== undefined) return text;
  throw new UsageError(`${path} must have a text named "${name}".`);
}
