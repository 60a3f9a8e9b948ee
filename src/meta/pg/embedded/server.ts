import { spawn } from 'node:child_process';
import { constants } from 'node:fs';
import { open, rename, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Client, DatabaseError } from 'pg';
import { optionsOf } from './account.ts';
import { codeOf, EmbeddedPostgresError, messageOf, OTHERWISE } from './error.ts';
import { unless } from './files.ts';
import { type Place, PORT } from './place.ts';
import { type Postmaster, readPostmaster, stopPostmaster } from './process.ts';

/** Recovery after a crash reads up to max_wal_size. */
const START_TIMEOUT_MS = 300_000;
const CONNECT_TIMEOUT_MS = 5_000;
const POLL_MS = 50;
const RETRY_MS = 250;
/** How long backends of a killed postmaster may take to notice. */
const LEFTOVERS_TIMEOUT_MS = 10_000;
const MAX_LOG_BYTES = 10 * 1024 * 1024;
const LOG_TAIL_LINES = 12;
const LOG_TAIL_BYTES = 4096;

const SETTINGS = [
  'listen_addresses=',
  `port=${PORT}`,
  'unix_socket_permissions=0700',
  'fsync=on',
  'synchronous_commit=on',
  'max_connections=100',
  'shared_buffers=64MB',
  'max_wal_size=1GB',
  'timezone=UTC',
  'log_timezone=UTC',
  'log_destination=stderr',
  'logging_collector=off',
];

/** glibc's, in bytes: else each backend gives its memory back to the kernel behind a statement, and asks for it with the next one. */
const MALLOC = {
  MALLOC_TOP_PAD_: String(1024 ** 2),
  MALLOC_TRIM_THRESHOLD_: String(4 * 1024 ** 2),
};

export interface RunningServer {
  readonly postmaster: Postmaster;
  /** To the database `postgres`; the caller ends it. It has a listener for 'error'. */
  readonly client: Client;
}

interface Attempt {
  readonly pid: number | undefined;
  /** Size of the log when it began. */
  readonly logStart: number;
  /** Why it ended; undefined while it runs. */
  ended(): string | undefined;
}

/**
 * Adopts the cluster's server if it runs, else starts it; waits until it answers.
 * @throws the signal's reason; then what it started has ended.
 */
export async function ensureServer(
  place: Place,
  binaries: string,
  signal?: AbortSignal,
): Promise<RunningServer> {
  const begin = Date.now();
  let attempt: Attempt | undefined;
  while (Date.now() - begin < START_TIMEOUT_MS) {
    if (signal?.aborted) await giveUp(place, attempt, signal);
    const postmaster = await readPostmaster(place.cluster);
    if (postmaster?.state === 'running') {
      const client = await connect(postmaster, place.cluster);
      if (client) return { postmaster, client };
    } else if (!attempt) {
      attempt = await launch(place, binaries, postmaster);
    } else if (attempt.ended() !== undefined) {
      if (!(await mayTryAgain(place, attempt, begin))) break;
      await delay(RETRY_MS);
      attempt = undefined;
      continue;
    }
    await delay(POLL_MS);
  }
  if (attempt?.pid && attempt.ended() === undefined) process.kill(attempt.pid, 'SIGINT');
  throw await startFailure(place, attempt);
}

async function giveUp(place: Place, attempt: Attempt | undefined, signal: AbortSignal) {
  if (attempt?.pid && attempt.ended() === undefined)
    await stopPostmaster(attempt.pid, place.cluster);
  signal.throwIfAborted();
}

/**
 * In a session of its own: a terminal's Ctrl-C is for Pier One, which then still needs its database.
 * `stale` is the postmaster.pid that was found. PostgreSQL takes a living process of its own user for a postmaster,
 * which in a container that starts again often is one of ours; PG_GRANDPARENT_PID names a process that is none.
 */
async function launch(
  place: Place,
  binaries: string,
  stale: Postmaster | undefined,
): Promise<Attempt> {
  const logStart = await prepareLog(place.logFile);
  const { O_APPEND, O_CREAT, O_WRONLY, O_NOFOLLOW } = constants;
  const log = await open(place.logFile, O_APPEND | O_CREAT | O_WRONLY | O_NOFOLLOW, 0o600);
  try {
    const options = optionsOf(place.account);
    const ignored = stale?.state === 'gone' ? { PG_GRANDPARENT_PID: String(stale.pid) } : {};
    const sockets = `unix_socket_directories="${place.socketDirectory.replaceAll('"', '""')}"`;
    const settings = [...SETTINGS, sockets].flatMap((setting) => ['-c', setting]);
    let ended: string | undefined;
    const child = spawn(join(binaries, 'bin', 'postgres'), ['-D', place.cluster, ...settings], {
      ...options,
      env: { ...options.env, ...MALLOC, ...ignored },
      detached: true,
      stdio: ['ignore', log.fd, log.fd],
    });
    child.once('error', (error) => {
      ended = messageOf(error);
    });
    child.once('exit', (code, signal) => {
      ended = `it ended with ${signal ?? `code ${code}`}`;
    });
    child.unref();
    return { pid: child.pid, logStart, ended: () => ended };
  } finally {
    await log.close();
  }
}

/** @returns the log's size in bytes. */
async function prepareLog(logFile: string): Promise<number> {
  const found = await unless(['ENOENT'], undefined, stat(logFile));
  if (!found || found.size < MAX_LOG_BYTES) return found?.size ?? 0;
  await rename(logFile, `${logFile}.old`);
  return 0;
}

/**
 * True where waiting helps: another process started the server in the same moment, or backends of a killed
 * postmaster are still about.
 */
async function mayTryAgain(place: Place, attempt: Attempt, begin: number): Promise<boolean> {
  if (Date.now() - begin > LEFTOVERS_TIMEOUT_MS) return false;
  const text = await readLog(place.logFile, attempt.logStart);
  return /pre-existing shared memory block|lock file ".*" (already exists|is empty)/.test(text);
}

/** @returns undefined while the server doesn't accept connections (yet, or any more). */
async function connect(postmaster: Postmaster, cluster: string): Promise<Client | undefined> {
  if (!postmaster.socketDirectory) return undefined;
  const client = new Client({
    host: postmaster.socketDirectory,
    port: postmaster.port,
    user: 'postgres',
    password: '',
    database: 'postgres',
    ssl: false,
    application_name: `pierone-owner ${process.pid}`,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
  });
  // A connection that fails says so to whoever waits for it, too; without a listener this would end the process.
  client.on('error', () => {});
  try {
    await client.connect();
    await checkIsOurs(client, cluster);
    return client;
  } catch (error) {
    await client.end().catch(() => {});
    if (isTransient(error)) return undefined;
    throw error;
  }
}

/** True for what a server that starts or stops answers, and for a connection that is refused or lost. */
export function isTransient(error: unknown): boolean {
  if (error instanceof EmbeddedPostgresError) return false;
  const code = codeOf(error);
  if (error instanceof DatabaseError) return /^(08|57|53300)/.test(code ?? '');
  return code === undefined || ['ENOENT', 'ECONNREFUSED', 'ECONNRESET', 'EPIPE'].includes(code);
}

async function checkIsOurs(client: Client, cluster: string): Promise<void> {
  const { rows } = await client.query<{ data_directory: string }>('show data_directory');
  const directory = rows[0]?.data_directory ?? '';
  const [actual, expected] = await Promise.all([stat(directory), stat(cluster)]);
  if (actual.dev === expected.dev && actual.ino === expected.ino) return;
  throw new EmbeddedPostgresError(
    `The socket of the embedded database in ${cluster} belongs to the PostgreSQL of ${directory}: stop that one, or ${OTHERWISE}`,
  );
}

async function startFailure(place: Place, attempt: Attempt | undefined): Promise<Error> {
  const why = attempt?.ended() ?? `it did not answer within ${START_TIMEOUT_MS / 1000} s`;
  const text = await readLog(place.logFile, attempt?.logStart ?? 0);
  const lines = text.trimEnd().split('\n').slice(-LOG_TAIL_LINES).join('\n');
  return new EmbeddedPostgresError(
    `The embedded PostgreSQL in ${place.cluster} did not start: ${why}. The end of ${place.logFile}:\n${lines}\nCorrect that, or ${OTHERWISE}`,
  );
}

/** At most the last 4 KiB of what was written since. */
async function readLog(logFile: string, start: number): Promise<string> {
  const log = await open(logFile, 'r');
  try {
    const { size } = await log.stat();
    const buffer = Buffer.alloc(LOG_TAIL_BYTES);
    const position = Math.max(start, size - LOG_TAIL_BYTES, 0);
    const { bytesRead } = await log.read(buffer, 0, LOG_TAIL_BYTES, position);
    return buffer.toString('utf8', 0, bytesRead);
  } finally {
    await log.close();
  }
}
