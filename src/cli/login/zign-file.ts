import { join } from 'node:path';
import { isObject, textOf } from '../json.ts';
import { readIfThere } from '../private-file.ts';
import type { Places } from './places.ts';

/** Nearer to its end a token isn't taken. */
const MARGIN_SECONDS = 5 * 60;

/** What the command `zign token -n pierone` has left, while it lasts. */
export async function zignToken(path: string, name: string): Promise<string | undefined> {
  const text = await readIfThere(path);
  if (text === undefined) return undefined;
  const { parse } = await import('yaml');
  const entry = entryOf(() => parse(text), name);
  const token = entry && textOf(entry, 'access_token');
  const end = Number(entry?.['creation_time']) + Number(entry?.['expires_in']);
  return end - MARGIN_SECONDS > Date.now() / 1000 ? token : undefined;
}

/** Another program's file: what can't be read is not there. */
function entryOf(parse: () => unknown, name: string): Record<string, unknown> | undefined {
  try {
    const content = parse();
    const entry = isObject(content) ? content[name] : undefined;
    return isObject(entry) ? entry : undefined;
  } catch {
    return undefined;
  }
}

export function zignFile({ environment, home, platform }: Places): string {
  const base =
    platform === 'darwin'
      ? join(home, 'Library', 'Application Support')
      : environment['XDG_CONFIG_HOME'] || join(home, '.config');
  return join(base, 'zalando-token-cli', 'tokens.yaml');
}
