import { createHash } from 'node:crypto';
import { chmod, chown, lstat, mkdir, readlink, realpath, rmdir, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join, resolve } from 'node:path';
import type { Log } from '../../../log.ts';
import { type Account, canEnter, chooseAccount } from './account.ts';
import { isCluster } from './cluster.ts';
import { codeOf, EmbeddedPostgresError, OTHERWISE } from './error.ts';
import { makeOpenFolder, unless } from './files.ts';

/** Of root, for what the database's user can't reach elsewhere. */
const SHARED_FOLDER = '/var/lib/pierone';
/** Also the name of the socket's file; the server listens on no port. */
export const PORT = 5432;
/** sun_path without its final NUL: 107 bytes on Linux, 103 on macOS. */
const MAX_SOCKET_PATH_BYTES = 103;

/**
 * Where everything is. For the cluster DIR:
 *
 *     DIR                      the cluster; or a link to /var/lib/pierone/HASH/NAME, which is then DIR for the rest
 *     DIR.log                  what PostgreSQL writes
 *     DIR.socket/              0700; or pierone-HASH in the system's temporary folder where the path gets too long
 *     DIR.new-ID/              a cluster that is being made
 *     DIR.binaries/            a copy of PostgreSQL's programs, if needed; root's is in /var/lib/pierone
 */
export interface Place {
  readonly cluster: string;
  /** Undefined: the user of this process. */
  readonly account: Account | undefined;
  readonly socketDirectory: string;
  readonly logFile: string;
  /** Folder for copies of the binaries; may not exist. */
  readonly copies: string;
}

export async function findPlace(directory: string, log: Log): Promise<Place> {
  const wanted = resolve(directory);
  await mkdir(dirname(wanted), { recursive: true });
  let cluster = await follow(wanted);
  const account = await chooseAccount(cluster);
  if (account && !(await canEnter(account, dirname(cluster)))) {
    if (await isCluster(cluster)) throw closedFolder(cluster, account);
    cluster = await putElsewhere(wanted);
    if (!(await canEnter(account, dirname(cluster)))) throw closedFolder(cluster, account);
    log.info(
      { wanted, directory: cluster, uid: account.uid },
      'embedded PostgreSQL: its user can not enter the wanted directory, so the database is elsewhere; a link there names the place',
    );
  }
  const socketDirectory = await makeSocketDirectory(cluster, account);
  const copies = account ? SHARED_FOLDER : `${cluster}.binaries`;
  return { cluster, account, socketDirectory, logFile: `${cluster}.log`, copies };
}

/** The path without symbolic links, of a cluster that may not exist yet. */
async function follow(wanted: string): Promise<string> {
  const link = await unless(['ENOENT', 'EINVAL'], undefined, readlink(wanted));
  const target = link === undefined ? wanted : resolve(dirname(wanted), link);
  const parent = await unless(['ENOENT'], undefined, realpath(dirname(target)));
  if (parent) return join(parent, basename(target));
  throw new EmbeddedPostgresError(
    `The embedded database of ${wanted} was in ${target}, and that is gone: bring it back, or remove the link ${wanted} to begin with an empty database.`,
  );
}

function closedFolder(cluster: string, account: Account): EmbeddedPostgresError {
  return new EmbeddedPostgresError(
    `The user with uid ${account.uid}, who runs PostgreSQL, can't enter ${dirname(cluster)}: open it and the folders above (chmod o+x), or ${OTHERWISE}`,
  );
}

/**
 * Claims a folder of its own and leaves a link to it. Without the link (who removes the storage directory begins
 * anew) an older folder of the same name is not taken again, and not touched.
 */
async function putElsewhere(wanted: string): Promise<string> {
  await makeOpenFolder(SHARED_FOLDER);
  const folder = await claimFolder(join(SHARED_FOLDER, hash(wanted)));
  try {
    await symlink(join(folder, basename(wanted)), wanted);
  } catch (error) {
    await rmdir(folder);
    if (codeOf(error) !== 'EEXIST') throw error;
  }
  return follow(wanted);
}

async function claimFolder(name: string): Promise<string> {
  for (let number = 1; ; number++) {
    const folder = number === 1 ? name : `${name}-${number}`;
    try {
      await mkdir(folder);
      await chmod(folder, 0o755);
      return folder;
    } catch (error) {
      if (codeOf(error) !== 'EEXIST') throw error;
    }
  }
}

async function makeSocketDirectory(cluster: string, account: Account | undefined): Promise<string> {
  const name = `pierone-${hash(cluster)}`;
  for (const folder of [`${cluster}.socket`, join(tmpdir(), name), join('/tmp', name)]) {
    const socket = join(folder, `.s.PGSQL.${PORT}`);
    if (Buffer.byteLength(socket) > MAX_SOCKET_PATH_BYTES) continue;
    if (account && !(await canEnter(account, dirname(folder)))) continue;
    await makePrivate(folder, account);
    return folder;
  }
  throw new EmbeddedPostgresError(
    `The path ${cluster} is too long for a socket, and so is the one of the temporary directory: set TMPDIR to a shorter one, or ${OTHERWISE}`,
  );
}

/** A folder in a place that others may write to: whoever can put a socket there could read all that is sent. */
async function makePrivate(folder: string, account: Account | undefined): Promise<void> {
  await unless(['EEXIST'], undefined, mkdir(folder, { mode: 0o700 }));
  const found = await lstat(folder);
  const own = process.getuid?.();
  const isOurs = found.isDirectory() && (found.uid === own || found.uid === account?.uid);
  if (!isOurs)
    throw new EmbeddedPostgresError(
      `${folder} is for the socket of the embedded PostgreSQL, but it is no directory or somebody else's: remove it, or ${OTHERWISE}`,
    );
  await chmod(folder, 0o700);
  if (account) await chown(folder, account.uid, account.gid);
}

function hash(path: string): string {
  return createHash('sha256').update(path).digest('hex').slice(0, 16);
}
