import { isObject, type JsonObject, parseObject, textOf } from '../json.ts';
import { changeFile, readIfThere } from '../private-file.ts';
import type { StoredLogin } from './docker-config.ts';

/** A registry that the user has logged in to. */
export interface Login {
  readonly host: string;
  readonly url: string;
  /** What the user gave for this registry alone; else a token is looked for wherever one may be. */
  readonly stored?: StoredLogin;
}

/** The registries that tokens may go to, in a file of its owner's only. */
export class Logins {
  readonly #path: string;

  constructor(path: string) {
    this.#path = path;
  }

  async find(host: string): Promise<Login | undefined> {
    return (await this.all()).find((login) => login.host === host);
  }

  /** None when the file isn't readable as one: then nobody gets a token. */
  async all(): Promise<Login[]> {
    return readLogins((await readIfThere(this.#path)) ?? '');
  }

  /** Replaces what was there for the host. */
  async put(login: Login): Promise<void> {
    await changeFile(this.#path, (text = '') => {
      const others = readLogins(text).filter(({ host }) => host !== login.host);
      return writeLogins([...others, login]);
    });
  }

  async remove(host: string): Promise<void> {
    if ((await readIfThere(this.#path)) === undefined) return;
    await changeFile(this.#path, (text = '') =>
      writeLogins(readLogins(text).filter((login) => login.host !== host)),
    );
  }
}

function readLogins(text: string): Login[] {
  const logins = parseObject(text)?.['logins'];
  return Array.isArray(logins) ? logins.filter(isObject).flatMap(readLogin) : [];
}

function readLogin(entry: JsonObject): Login[] {
  const host = textOf(entry, 'host');
  const url = textOf(entry, 'url');
  if (host === undefined || url === undefined) return [];
  const username = textOf(entry, 'username');
  const secret = textOf(entry, 'secret');
  const stored = username !== undefined && secret !== undefined && { stored: { username, secret } };
  return [{ host, url, ...stored }];
}

function writeLogins(logins: readonly Login[]): string {
  const entries = logins.map(({ host, url, stored }) => ({ host, url, ...stored }));
  return `${JSON.stringify({ logins: entries }, undefined, 2)}\n`;
}
