import { isObject, type JsonObject, parseObject, textOf } from '../json.ts';
import { changeFile, readIfThere } from '../private-file.ts';

export interface StoredToken {
  readonly accessToken: string;
  /** Milliseconds since 1970, as is `issuedAt`. */
  readonly expiresAt: number;
  readonly issuedAt: number;
  readonly refreshToken?: string;
  /** Where the refresh token is good. */
  readonly tokenEndpoint?: string;
}

const MARGIN_MS = 5 * 60_000;

/** A token is replaced five minutes before its end; one with a short life, at half of it. */
export function isFresh({ expiresAt, issuedAt }: StoredToken, now: number): boolean {
  return now < expiresAt - Math.min(MARGIN_MS, (expiresAt - issuedAt) / 2);
}

/** Tokens by what they were asked for, in a file of its owner's only. */
export class TokenStore {
  readonly #path: string;

  constructor(path: string) {
    this.#path = path;
  }

  async get(key: string): Promise<StoredToken | undefined> {
    return readTokens((await readIfThere(this.#path)) ?? '').get(key);
  }

  async clear(): Promise<void> {
    if ((await readIfThere(this.#path)) === undefined) return;
    await changeFile(this.#path, () => '{"tokens": {}}\n');
  }

  /** @param change from what is there now; nobody else changes the file meanwhile. undefined removes it */
  async change(
    key: string,
    change: (token: StoredToken | undefined) => Promise<StoredToken | undefined>,
  ): Promise<StoredToken | undefined> {
    let changed: StoredToken | undefined;
    await changeFile(this.#path, async (text = '') => {
      const tokens = readTokens(text);
      changed = await change(tokens.get(key));
      if (changed) tokens.set(key, changed);
      else tokens.delete(key);
      return `${JSON.stringify({ tokens: Object.fromEntries(tokens) }, undefined, 2)}\n`;
    });
    return changed;
  }
}

/** What can't be read counts as not there: a token can always be asked for again. */
function readTokens(text: string): Map<string, StoredToken> {
  const tokens = parseObject(text)?.['tokens'];
  const entries = isObject(tokens) ? Object.entries(tokens) : [];
  return new Map(
    entries.flatMap(([key, value]) => {
      const token = isObject(value) ? readToken(value) : undefined;
      return token ? [[key, token] as const] : [];
    }),
  );
}

function readToken(entry: JsonObject): StoredToken | undefined {
  const accessToken = textOf(entry, 'accessToken');
  const { expiresAt, issuedAt } = entry;
  if (accessToken === undefined || typeof expiresAt !== 'number' || typeof issuedAt !== 'number') {
    return undefined;
  }
  const refreshToken = textOf(entry, 'refreshToken');
  const tokenEndpoint = textOf(entry, 'tokenEndpoint');
  return {
    accessToken,
    expiresAt,
    issuedAt,
    ...(refreshToken !== undefined && { refreshToken }),
    ...(tokenEndpoint !== undefined && { tokenEndpoint }),
  };
}
