import { access, constants } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import type { Environment } from '../environment.ts';
import { UsageError } from '../errors.ts';
import { changeFile, readIfThere } from '../private-file.ts';
import {
  BrokenConfig,
  type StoredLogin,
  withHelper,
  withoutLogin,
  withSecret,
} from './docker-config.ts';
import { dockerConfigFile, placesOf, podmanAuthFile } from './places.ts';

const HELPER_PROGRAM = 'docker-credential-pierone';

/** Which files a login is written to. */
export interface FileChoice {
  readonly podman: boolean;
  /** podman's file, in place of the usual one. */
  readonly authFile: string | undefined;
}

/** docker's first. */
export function credentialFiles(environment: Environment, choice: FileChoice): string[] {
  const places = placesOf(environment);
  const docker = dockerConfigFile(places);
  if (choice.authFile !== undefined) return [docker, choice.authFile];
  return choice.podman ? [docker, podmanAuthFile(places)] : [docker];
}

/** Before anything is changed: whether a login can be written to all of them. @throws CliError */
export async function checkFiles(files: readonly string[], host: string): Promise<void> {
  for (const path of files) {
    await explained(path, async () => void withHelper(await readIfThere(path), host));
  }
}

/** @throws CliError */
export async function writeLogin(
  files: readonly string[],
  host: string,
  secret: StoredLogin | undefined,
): Promise<void> {
  const change = (text: string | undefined) =>
    secret === undefined ? withHelper(text, host) : withSecret(text, host, secret);
  for (const path of files) await explained(path, () => changeFile(path, change));
}

/** @returns the files that had a login */
export async function removeLogin(files: readonly string[], host: string): Promise<string[]> {
  const changed: string[] = [];
  for (const path of files) {
    const text = await explained(path, () => readIfThere(path));
    if (text === undefined) continue;
    await explained(path, () =>
      changeFile(path, (current) => {
        const without = withoutLogin(current, host);
        if (without !== undefined) changed.push(path);
        return without;
      }),
    );
  }
  return changed;
}

/** Whether docker will find it; npx has it on its PATH only while it runs. */
export async function isHelperInstalled(environment: Environment): Promise<boolean> {
  const directories = (environment['PATH'] ?? '')
    .split(delimiter)
    .filter((directory) => directory !== '' && !directory.endsWith(join('node_modules', '.bin')));
  const found = await Promise.all(
    directories.map((directory) =>
      access(join(directory, HELPER_PROGRAM), constants.X_OK).then(
        () => true,
        () => false,
      ),
    ),
  );
  return found.includes(true);
}

async function explained<T>(path: string, action: () => Promise<T>): Promise<T> {
  try {
    return await action();
  } catch (error) {
    if (!(error instanceof BrokenConfig)) throw error;
    throw new UsageError(`${path} is left as it is, since ${error.message}: mend it first.`, {
      cause: error,
    });
  }
}
