import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chown, mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createLog } from '../../src/log.ts';
import {
  type EmbeddedPostgres,
  EmbeddedPostgresError,
  startEmbeddedPostgres,
} from '../../src/meta/pg/embedded/embedded-postgres.ts';
import {
  isPostmaster,
  killForGood,
  killPostmaster,
  makeFolder,
  query,
  readPostmasterPid,
  removeCluster,
  startPostgres,
} from '../support/postgres.ts';

const EMBEDDED = fileURLToPath(
  new URL('../../src/meta/pg/embedded/embedded-postgres.ts', import.meta.url),
);
const LOG = fileURLToPath(new URL('../../src/log.ts', import.meta.url));
const OWNER_SCRIPT = `
  const { startEmbeddedPostgres } = await import(${JSON.stringify(EMBEDDED)});
  const { createLog } = await import(${JSON.stringify(LOG)});
  try {
    const { url, directory } = await startEmbeddedPostgres(process.argv[1], createLog('silent'));
    console.log(JSON.stringify({ url, directory }));
  } catch (error) {
    console.log(JSON.stringify({ error: error.name, message: error.message }));
  }`;

const HANDOVERS = 5;

const log = createLog('silent');
let folder: string;
let directory: string;
let servers: EmbeddedPostgres[];
let children: ChildProcess[];

beforeEach(async () => {
  folder = await makeFolder();
  directory = join(folder, 'data', 'postgres');
  servers = [];
  children = [];
});

afterEach(async () => {
  for (const child of children) await end(child, 'SIGKILL');
  // Two of them may have had one directory.
  for (const server of servers) await server.stop();
  for (const server of servers) await removeCluster(server.directory, server.url);
  await rm(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
});

async function start(where = directory): Promise<EmbeddedPostgres> {
  const server = await startEmbeddedPostgres(where, log);
  servers.push(server);
  return server;
}

async function remember(url: string): Promise<void> {
  await query(url, `create table kept as select 'here' as word`);
}

async function expectRemembered(url: string): Promise<void> {
  expect(await query(url, 'select word from kept')).toEqual([['here']]);
}

/** A process of its own that starts the database and keeps it. */
async function startOwner(): Promise<{ child: ChildProcess; line: Record<string, unknown> }> {
  const args = ['--import', 'tsx', '--input-type=module', '-e', OWNER_SCRIPT, directory];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  children.push(child);
  const [text] = await once(createInterface({ input: child.stdout }), 'line');
  const line: unknown = JSON.parse(String(text));
  return { child, line: { ...(typeof line === 'object' ? line : {}) } };
}

async function end(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit');
  child.kill(signal);
  await exited;
}

test('the first start makes a database in UTF-8 and locale C, and the second one finds its data', async () => {
  const first = await start();
  expect(first.version).toMatch(/^\d+\.\d+$/);
  expect(first.directory).toBe(directory);
  const facts = `select current_database()::text, getdatabaseencoding()::text, datcollate::text,
    current_setting('fsync'), current_setting('synchronous_commit'), current_setting('listen_addresses')
    from pg_database where datname = current_database()`;
  expect(await query(first.url, facts)).toEqual([['pierone', 'UTF8', 'C', 'on', 'on', '']]);
  await remember(first.url);
  await first.stop();
  const second = await start();
  expect(second.url).toBe(first.url);
  await expectRemembered(second.url);
});

test('nobody else may enter the folders of the database and of its socket', async () => {
  await start();
  for (const path of [directory, `${directory}.socket`])
    expect((await stat(path)).mode & 0o777).toBe(0o700);
  expect((await stat(`${directory}.log`)).mode & 0o777).toBe(0o600);
});

test('stop ends the server, and may be called again', async () => {
  const server = await start();
  const pid = await readPostmasterPid(directory);
  await Promise.all([server.stop(), server.stop()]);
  expect(await isPostmaster(pid)).toBe(false);
  expect(await readdir(directory)).not.toContain('postmaster.pid');
  await server.stop();
});

test('stop succeeds when the server was killed a moment before', async () => {
  const server = await start();
  await killForGood(server);
  expect(await query(server.url, 'select 1').catch(() => 'gone')).toBe('gone');
});

test('a server that outlived its owner is taken over', async () => {
  const { child, line } = await startOwner();
  const pid = await readPostmasterPid(directory);
  await remember(String(line['url']));
  await end(child, 'SIGKILL');
  expect(await isPostmaster(pid)).toBe(true);
  const server = await start();
  expect(await readPostmasterPid(directory)).toBe(pid);
  await expectRemembered(server.url);
  await server.stop();
  expect(await isPostmaster(pid)).toBe(false);
});

test('a server that was killed together with its owner is recovered', async () => {
  const { child, line } = await startOwner();
  await remember(String(line['url']));
  await Promise.all([killPostmaster(directory), end(child, 'SIGKILL')]);
  await expectRemembered((await start()).url);
});

test('a process id that another program has got since does not keep the server from starting', async () => {
  const first = await start();
  await remember(first.url);
  await killForGood(first);
  const sleeper = spawnSleeper(await stat(directory));
  for (const file of [join(directory, 'postmaster.pid'), lockFile()]) {
    const lines = (await readFile(file, 'utf8')).split('\n');
    await writeFile(file, [sleeper.pid, ...lines.slice(1)].join('\n'));
  }
  await expectRemembered((await start()).url);
  expect(sleeper.exitCode).toBe(null);
});

function lockFile(): string {
  return join(`${directory}.socket`, '.s.PGSQL.5432.lock');
}

/** PostgreSQL only minds processes of its own user. */
function spawnSleeper({ uid, gid }: { uid: number; gid: number }): ChildProcess {
  const account = process.getuid?.() === 0 ? { uid, gid } : {};
  const child = spawn('/bin/sleep', ['600'], { cwd: '/', stdio: 'ignore', ...account });
  children.push(child);
  return child;
}

test('a database in use is refused with the process that uses it, and left alone', async () => {
  const { child, line } = await startOwner();
  const refused = startEmbeddedPostgres(directory, log);
  await expect(refused).rejects.toBeInstanceOf(EmbeddedPostgresError);
  await expect(refused).rejects.toThrow(
    `Another Pier One (process ${child.pid}) uses the embedded database in ${directory}: stop it, or set STORAGE_DIRECTORY`,
  );
  expect(await query(String(line['url']), 'select 1')).toEqual([[1]]);
  await end(child, 'SIGKILL');
  await start();
});

test('of two first starts at once, one gets the database', async () => {
  const outcomes = (await Promise.all([startOwner(), startOwner()])).map(({ line }) => line);
  const winner = outcomes.find((line) => 'url' in line);
  const losers = outcomes.filter((line) => 'error' in line);
  expect(losers).toEqual([
    { error: 'EmbeddedPostgresError', message: expect.stringMatching(/^Another Pier One/) },
  ]);
  expect(await query(String(winner?.['url']), 'select 1')).toEqual([[1]]);
  expect((await readdir(join(folder, 'data'))).toSorted()).toEqual([
    'postgres',
    'postgres.log',
    'postgres.socket',
  ]);
  for (const child of children) await end(child, 'SIGKILL');
  await start();
});

test('a start while the owner is stopping waits for it', async () => {
  let owner = await start();
  await remember(owner.url);
  // The next one begins in another moment of the end each time.
  for (let round = 0; round < HANDOVERS; round += 1) {
    const [, next] = await Promise.all([owner.stop(), start()]);
    await expectRemembered(next.url);
    owner = next;
  }
});

test('a half-made database is made again, and kept aside', async () => {
  await mkdir(join(directory, 'base', '1'), { recursive: true });
  await writeFile(join(directory, 'PG_VERSION'), '18\n');
  if (process.getuid?.() === 0) await chown(directory, 65534, 65534);
  const server = await start();
  expect(await query(server.url, 'select 1')).toEqual([[1]]);
  const names = await readdir(join(folder, 'data'));
  expect(names.filter((name) => name.startsWith('postgres.incomplete-'))).toHaveLength(1);
});

test('a damaged database is not replaced: the error shows what PostgreSQL says', async () => {
  const first = await start();
  await first.stop();
  await rm(join(directory, 'global', 'pg_control'));
  const refused = startEmbeddedPostgres(directory, log);
  await expect(refused).rejects.toBeInstanceOf(EmbeddedPostgresError);
  await expect(refused).rejects.toThrow(/did not start[^]*pg_control[^]*DATABASE_URL/);
});

test('an empty directory is no obstacle', async () => {
  await mkdir(directory, { recursive: true });
  expect(await query((await start()).url, 'select 1')).toEqual([[1]]);
});

test('the PostgreSQL for tests comes back at the same url after a crash', async () => {
  const postgres = await startPostgres();
  try {
    await remember(postgres.url);
    await postgres.kill();
    await expect(query(postgres.url, 'select 1')).rejects.toThrow();
    await postgres.start();
    await expectRemembered(postgres.url);
  } finally {
    await postgres.stop();
  }
});
