import { readlink, realpath } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { findPackage } from './binaries.ts';
import { isCluster } from './cluster.ts';
import { databaseUrl } from './embedded-postgres.ts';
import { EmbeddedPostgresError } from './error.ts';
import { unless } from './files.ts';
import { readPostmaster } from './process.ts';

/** What there is of an embedded PostgreSQL, for who wants to know without making or starting it. */
export interface EmbeddedReport {
  /** Of the package with the programs. */
  readonly packageVersion: string;
  /** Where the database is, or would be made. */
  readonly directory: string;
  readonly isMade: boolean;
  /** Undefined: it doesn't run. */
  readonly url: string | undefined;
}

/** @throws EmbeddedPostgresError, whose sentence says what to do */
export async function inspectEmbedded(wanted: string): Promise<EmbeddedReport> {
  const { version: packageVersion } = await findPackage();
  const directory = await placeOf(resolve(wanted));
  const isMade = await isCluster(directory);
  const postmaster = isMade ? await readPostmaster(directory) : undefined;
  const isRunning = postmaster?.state === 'running' && postmaster.socketDirectory !== '';
  return {
    packageVersion,
    directory,
    isMade,
    url: isRunning ? databaseUrl(postmaster) : undefined,
  };
}

/** A link leads to a database that was put elsewhere. */
async function placeOf(wanted: string): Promise<string> {
  const link = await unless(['ENOENT', 'EINVAL'], undefined, readlink(wanted));
  if (link === undefined) return unless(['ENOENT'], wanted, realpath(wanted));
  const target = resolve(dirname(wanted), link);
  const found = await unless(['ENOENT'], undefined, realpath(target));
  if (found !== undefined) return found;
  throw new EmbeddedPostgresError(
    `The embedded database of ${wanted} was in ${target}, and that is gone: bring it back, or remove the link ${wanted} to begin with an empty database.`,
  );
}
