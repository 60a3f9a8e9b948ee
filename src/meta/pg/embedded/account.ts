import { spawn } from 'node:child_process';
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { EmbeddedPostgresError, OTHERWISE } from './error.ts';
import { isThere, unless } from './files.ts';

/** The user that PostgreSQL runs as. */
export interface Account {
  readonly uid: number;
  readonly gid: number;
}

export interface Outcome {
  /** Null: it was ended by a signal. */
  readonly exitCode: number | null;
  /** Standard output and standard error, as they came. */
  readonly output: string;
}

/**
 * PostgreSQL refuses to run as root. So for root: the owner of `cluster`, else `postgres`, else `nobody`.
 * @returns undefined where it runs as the user of this process.
 */
export async function chooseAccount(cluster: string): Promise<Account | undefined> {
  const uid = process.getuid?.();
  const owner = await unless(['ENOENT'], undefined, stat(cluster));
  if (uid !== 0) {
    if (owner && owner.uid !== uid) throw wrongOwner(cluster, owner.uid);
    return undefined;
  }
  const isMade = owner && (await isThere(join(cluster, 'PG_VERSION')));
  if (isMade && owner.uid === 0) throw wrongOwner(cluster, 0);
  if (isMade) return { uid: owner.uid, gid: owner.gid };
  const account = (await readAccount('postgres')) ?? (await readAccount('nobody'));
  if (account) return account;
  throw new EmbeddedPostgresError(
    `PostgreSQL refuses to run as root, and there is neither a user postgres nor a user nobody to run it as. Start Pier One as an ordinary user, or ${OTHERWISE}`,
  );
}

function wrongOwner(cluster: string, uid: number): EmbeddedPostgresError {
  const advice =
    uid === 0 ? 'give it to the user that shall run PostgreSQL' : 'start Pier One as that user';
  return new EmbeddedPostgresError(
    `The embedded database in ${cluster} belongs to the user with uid ${uid}: ${advice}, or ${OTHERWISE}`,
  );
}

async function readAccount(name: string): Promise<Account | undefined> {
  const users = await unless(['ENOENT'], '', readFile('/etc/passwd', 'utf8'));
  for (const line of users.split('\n')) {
    const [user, , uid = '', gid = ''] = line.split(':');
    if (user === name && /^[1-9]\d*$/.test(uid) && /^\d+$/.test(gid))
      return { uid: Number(uid), gid: Number(gid) };
  }
  return undefined;
}

/** Spawn options of everything that runs as `account`. The folder of this process may be closed to it: it runs in /. */
export function optionsOf(account: Account | undefined) {
  const env = { PATH: '/usr/local/bin:/usr/bin:/bin', LC_ALL: 'C' };
  return { cwd: '/', env, ...(account && { uid: account.uid, gid: account.gid }) };
}

/** Runs a program to its end. Rejects when it can't be started. */
export function run(
  program: string,
  args: readonly string[],
  account: Account | undefined,
): Promise<Outcome> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, {
      ...optionsOf(account),
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let output = '';
    const collect = (text: string) => {
      output += text;
    };
    child.stdout.setEncoding('utf8').on('data', collect);
    child.stderr.setEncoding('utf8').on('data', collect);
    child.once('error', reject);
    child.once('close', (exitCode) => resolve({ exitCode, output }));
  });
}

/** Asks the kernel instead of comparing modes: there are access lists, and folders that even root can't enter. */
export async function canEnter(account: Account, directory: string): Promise<boolean> {
  return (await run('/bin/sh', ['-c', 'cd -- "$1"', 'sh', directory], account)).exitCode === 0;
}
