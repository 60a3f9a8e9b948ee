import { chmod, lstat, mkdir, mkdtemp, rm, symlink } from 'node:fs/promises';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createLog } from '../../src/log.ts';
import {
  type EmbeddedPostgres,
  startEmbeddedPostgres,
} from '../../src/meta/pg/embedded/embedded-postgres.ts';
import { makeFolder, query, removeCluster } from '../support/postgres.ts';

const log = createLog('silent');
let folder: string;
let directory: string;
let servers: EmbeddedPostgres[];

beforeEach(async () => {
  folder = await makeFolder();
  directory = join(folder, 'data', 'postgres');
  servers = [];
});

afterEach(async () => {
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

test('a path that is too long for a socket, with characters that mean something elsewhere', async () => {
  directory = join(folder, `a "b", 'c' %20 ü&?#`, 'x'.repeat(120), 'postgres');
  const first = await start();
  await remember(first.url);
  expect(first.directory).toBe(directory);
  await first.stop();
  const second = await start();
  expect(second.url).toBe(first.url);
  await expectRemembered(second.url);
});

test('short paths with such characters', async () => {
  directory = join(folder, `a "b", %20 'ü&?#`);
  const server = await start();
  expect(new URL(server.url).searchParams.get('host')).toBe(`${directory}.socket`);
  expect(await query(server.url, 'select 1')).toEqual([[1]]);
});

test('a folder for the socket that is a link is refused', async () => {
  await mkdir(join(folder, 'data', 'elsewhere'), { recursive: true });
  await symlink('elsewhere', `${directory}.socket`);
  await expect(startEmbeddedPostgres(directory, log)).rejects.toThrow(/somebody else's/);
});

test('below a folder that PostgreSQL can not enter, it is put where it can, and found again', async () => {
  const isRoot = process.getuid?.() === 0;
  const closed = await mkdtemp(join(isRoot ? homedir() : tmpdir(), 'pierone-test-'));
  try {
    await chmod(closed, 0o700);
    const wanted = join(closed, 'postgres');
    const first = await start(wanted);
    expect(first.directory.startsWith(isRoot ? '/var/lib/pierone/' : closed)).toBe(true);
    expect((await lstat(wanted)).isSymbolicLink()).toBe(isRoot);
    await remember(first.url);
    await first.stop();
    const second = await start(wanted);
    expect(second.directory).toBe(first.directory);
    await expectRemembered(second.url);
  } finally {
    await rm(closed, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
  }
});
