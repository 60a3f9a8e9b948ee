import { chmod, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Client } from 'pg';
import { createLog } from '../../src/log.ts';
import {
  type EmbeddedPostgres,
  startEmbeddedPostgres,
} from '../../src/meta/pg/embedded/embedded-postgres.ts';
import { copyTemplate, leaveTemplate } from './postgres-template.ts';
import { processesBelow } from './process-table.ts';

/** A PostgreSQL of a test's own. Stop it in a hook: it outlives the test's process. */
export interface TestPostgres {
  /** Stays the same after `start`. */
  readonly url: string;
  /** Ends it, if it runs, and removes its data. */
  stop(): Promise<void>;
  /** SIGKILL, as in a crash: nothing is removed, connections break. */
  kill(): Promise<void>;
  /** A fast shutdown, as by an administrator: connections are ended, nothing is removed. */
  shutDown(): Promise<void>;
  /** Brings it up again after `kill` or `shutDown`. */
  start(): Promise<void>;
  /** SIGSTOP to all its processes: it takes connections, and answers nothing. @returns what lets them go on */
  freeze(): Promise<() => void>;
}

/** An embedded PostgreSQL with the empty database `pierone`, in a temporary directory. */
export async function startPostgres(): Promise<TestPostgres> {
  const folder = await makeFolder();
  const directory = join(folder, 'postgres');
  const log = createLog('silent');
  await copyTemplate(directory);
  let server = await startEmbeddedPostgres(directory, log);
  const { url } = server;
  if (server.directory === directory) {
    await leaveTemplate(directory, async (copy) => {
      await server.stop();
      await copy();
      server = await startEmbeddedPostgres(directory, log);
    });
  }
  return {
    url,
    stop: async () => {
      await server.stop();
      await removeCluster(server.directory, url);
      await rm(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
    },
    kill: () => killForGood(server),
    shutDown: () => server.stop(),
    start: async () => {
      server = await startEmbeddedPostgres(directory, log);
      if (server.url !== url) throw new Error(`the url changed from ${url} to ${server.url}`);
    },
    freeze: () => freeze(server.directory),
  };
}

/** The postmaster first: it starts no other process then. */
async function freeze(directory: string): Promise<() => void> {
  const postmaster = await readPostmasterPid(directory);
  process.kill(postmaster, 'SIGSTOP');
  const others = (await processesBelow(directory)).filter(({ pid }) => pid !== postmaster);
  const frozen = [postmaster, ...others.map(({ pid }) => pid)];
  for (const { pid } of others) signal(pid, 'SIGSTOP');
  return () => {
    for (const pid of frozen) signal(pid, 'SIGCONT');
  };
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch {
    // A backend that ended meanwhile.
  }
}

/** Open for the user that PostgreSQL runs as when the tests run as root. */
export async function makeFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'pierone-test-'));
  await chmod(folder, 0o755);
  return folder;
}

/** @returns the id of the process that postmaster.pid names. */
export async function readPostmasterPid(directory: string): Promise<number> {
  return Number((await readFile(join(directory, 'postmaster.pid'), 'utf8')).split('\n')[0]);
}

/** SIGKILL to the postmaster's process group; waits until the process is gone. Its backends end a moment later. */
export async function killPostmaster(directory: string): Promise<void> {
  const pid = await readPostmasterPid(directory);
  process.kill(-pid, 'SIGKILL');
  while (await isPostmaster(pid)) await delay(10);
}

/** SIGKILL, as `killPostmaster`, to a server that would be started again: it isn't. */
export async function killForGood(server: EmbeddedPostgres): Promise<void> {
  process.kill(-(await readPostmasterPid(server.directory)), 'SIGKILL');
  await server.stop();
}

/** False for a process that ended, also if nobody has read its end yet. */
export async function isPostmaster(pid: number): Promise<boolean> {
  try {
    process.kill(pid, 0);
    if (process.platform !== 'linux') return true;
    return /\bpostgres\b/.test(await readFile(`/proc/${pid}/cmdline`, 'utf8'));
  } catch {
    return false;
  }
}

/** Removes what may lie elsewhere than in the directory of the test: the socket's folder, and a cluster that moved. */
export async function removeCluster(directory: string, url: string): Promise<void> {
  const socketDirectory = new URL(url).searchParams.get('host') ?? '';
  const isTemporary = /\/(pierone-[0-9a-f]{16}|[^/]*\.socket)$/.test(socketDirectory);
  if (isTemporary)
    await rm(socketDirectory, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
  const isMoved = /^\/var\/lib\/pierone\/[0-9a-f]{16}(-\d+)?\/[^/]+$/.test(directory);
  if (isMoved)
    await rm(dirname(directory), { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
}

/** On a connection of its own. @returns the rows, each a list of its columns. */
export async function query(url: string, sql: string): Promise<unknown[][]> {
  const client = new Client({ connectionString: url });
  client.on('error', () => {});
  await client.connect();
  try {
    return (await client.query<unknown[]>({ text: sql, rowMode: 'array' })).rows;
  } finally {
    await client.end();
  }
}
