import { existsSync, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import type { Environment } from './environment.ts';
import { UsageError } from './errors.ts';

/** The file of the user's settings. */
export interface ConfigFile {
  /** Where it is, or where it would be made. */
  readonly path: string;
  /** Its plain values by name, as texts. */
  readonly values: Readonly<Record<string, string>>;
}

/** Where it may be: the first that exists counts, the first of all is where a new one is made. */
export function configFilePaths(environment: Environment, platform: NodeJS.Platform): string[] {
  const home = environment['HOME'] || homedir();
  const base = environment['XDG_CONFIG_HOME'] || join(home, '.config');
  const paths = [join(base, 'pierone', 'pierone.yaml'), join(base, 'pierone.yaml')];
  if (platform !== 'darwin') return paths;
  return [join(home, 'Library', 'Application Support', 'pierone', 'pierone.yaml'), ...paths];
}

/** @throws UsageError when it can't be read */
export async function readConfigFile(
  environment: Environment,
  platform: NodeJS.Platform,
): Promise<ConfigFile> {
  const paths = configFilePaths(environment, platform);
  const path = paths.find((candidate) => existsSync(candidate));
  if (path === undefined) return { path: paths[0] ?? '', values: {} };
  const content = await parse(path);
  if (content === null || content === undefined) return { path, values: {} };
  if (typeof content !== 'object' || Array.isArray(content)) {
    throw new UsageError(`${path} must have lines such as url: https://pierone.example.org.`);
  }
  return { path, values: plainValues(content) };
}

/** Sets values in the file, and keeps all else that is in it. Makes it where there is none, for its owner alone: it may get secrets. */
export async function changeConfigFile(
  { path }: ConfigFile,
  changes: Readonly<Record<string, string>>,
): Promise<void> {
  const { parseDocument } = await import('yaml');
  const { changeFile } = await import('./private-file.ts');
  await changeFile(path, (text = '') => {
    const document = parseDocument(text);
    for (const [name, value] of Object.entries(changes)) document.set(name, value);
    return document.toString();
  });
}

async function parse(path: string): Promise<unknown> {
  try {
    const text = readFileSync(path, 'utf8');
    const plain = plainLines(text);
    if (plain) return plain;
    const { parse: parseYaml } = await import('yaml');
    return parseYaml(text);
  } catch (error) {
    const [reason] = (error instanceof Error ? error.message : String(error)).split('\n');
    // Without its cause: that shows lines of the file, which may hold a token.
    throw new UsageError(`${path} can't be read: ${reason}`);
  }
}

/** Most files have a line or two, for which a library would take longer than all the rest of a command. */
function plainLines(text: string): Record<string, string> | undefined {
  const lines = text.split('\n').filter((line) => line.trim() !== '' && !line.startsWith('#'));
  const entries = lines.flatMap((line) => {
    const [, name, value] = /^([a-z_]+): +([a-z/][\w:/.~-]*)\r?$/.exec(line) ?? [];
    const isText = name !== undefined && value !== undefined && !/^(null|true|false)$/.test(value);
    return isText ? [[name, value] as const] : [];
  });
  return entries.length === lines.length ? Object.fromEntries(entries) : undefined;
}

function plainValues(content: object): Record<string, string> {
  const entries: [string, unknown][] = Object.entries(content);
  return Object.fromEntries(
    entries.flatMap(([name, value]) => {
      const isPlain = ['string', 'number', 'boolean'].includes(typeof value);
      return isPlain ? [[name, String(value)] as const] : [];
    }),
  );
}
