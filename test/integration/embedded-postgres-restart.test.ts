import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Client } from 'pg';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createLog } from '../../src/log.ts';
import {
  type EmbeddedPostgres,
  startEmbeddedPostgres,
} from '../../src/meta/pg/embedded/embedded-postgres.ts';
import { errorCodeOf, HttpClient } from '../support/http-client.ts';
import {
  isPostmaster,
  killPostmaster,
  makeFolder,
  query,
  readPostmasterPid,
  removeCluster,
} from '../support/postgres.ts';
import { processesBelow } from '../support/process-table.ts';
import {
  expectStatus,
  imageOf,
  pushBlob,
  putManifest,
  randomSample,
} from '../support/sample-content.ts';
import { type ServerProcess, startServer } from '../support/server.ts';
import { waitUntil } from '../support/wait-until.ts';

/** What the registry's log says of its PostgreSQL. */
const RUNNING_AGAIN = 'embedded PostgreSQL: running again';

/** What an owner's connection holds, in the database `postgres`. */
const OWNER_KEY = '8100116945110527589';

let folder: string;
let directory: string;
let lines: string[];
let databases: EmbeddedPostgres[];
let servers: ServerProcess[];

beforeEach(async () => {
  folder = await makeFolder();
  // Where a registry with this storage directory has it.
  directory = join(folder, 'postgresql');
  lines = [];
  databases = [];
  servers = [];
});

afterEach(async () => {
  for (const server of servers) await server.stop();
  for (const database of databases) await database.stop();
  for (const database of databases) await removeCluster(database.directory, database.url);
  await rm(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
});

async function startDatabase(): Promise<EmbeddedPostgres> {
  const log = createLog('info', { write: (line: string) => void lines.push(line) });
  const database = await startEmbeddedPostgres(directory, log);
  databases.push(database);
  return database;
}

function untilAnswers({ url }: EmbeddedPostgres) {
  return waitUntil('the database', () => query(url, 'select 1').catch(() => undefined));
}

/** The database in which owners take their lock. */
function ownersUrl({ url }: EmbeddedPostgres): string {
  return url.replace('/pierone?', '/postgres?');
}

/** Owns the database by a connection of its own, as another process would in the moment of a loss. End it. */
async function takeAway(database: EmbeddedPostgres): Promise<Client> {
  const url = ownersUrl(database);
  const other = new Client({ connectionString: url });
  other.on('error', () => undefined);
  await other.connect();
  const locked = other.query(`select pg_advisory_lock(${OWNER_KEY})`);
  await waitUntil('the other to wait', async () => {
    return (await query(url, 'select from pg_locks where not granted')).length > 0;
  });
  await query(
    url,
    `select pg_terminate_backend(pid) from pg_stat_activity where application_name like 'pierone-owner %'`,
  );
  await locked;
  await untilLogged(/"level":"warn".*could not be started again/);
  return other;
}

function untilLogged(pattern: RegExp, times = 1) {
  return waitUntil(`${times} × ${pattern.source}`, () => {
    return lines.filter((line) => pattern.test(line)).length >= times;
  });
}

async function startRegistry(): Promise<{ server: ServerProcess; api: HttpClient }> {
  const server = await startServer({ STORAGE_DIRECTORY: folder });
  servers.push(server);
  return { server, api: new HttpClient(server.url) };
}

test('a server that was killed is started again, each time, where it was', async () => {
  const database = await startDatabase();
  await query(database.url, `create table kept as select 'here' as word`);
  for (let round = 1; round <= 3; round += 1) {
    const before = await readPostmasterPid(directory);
    await killPostmaster(directory);
    await untilLogged(/"level":"info".*running again/, round);
    expect(await readPostmasterPid(directory)).not.toBe(before);
    expect(await query(database.url, 'select word from kept')).toEqual([['here']]);
  }
  const warnings = lines.filter((line) => /"level":"warn".*lost; starting it again/.test(line));
  expect(warnings).toHaveLength(3);
});

test('a server that lost a backend goes on, and is owned again', async () => {
  const database = await startDatabase();
  const postmaster = await readPostmasterPid(directory);
  const client = new Client({ connectionString: database.url });
  client.on('error', () => undefined);
  await client.connect();
  const { rows } = await client.query<{ pid: number }>('select pg_backend_pid() as pid');
  const [backend] = rows;
  if (!backend) throw new Error('no backend');
  process.kill(backend.pid, 'SIGKILL');
  await untilLogged(/running again/);
  await untilAnswers(database);
  expect(await readPostmasterPid(directory)).toBe(postmaster);
  await expect(startDatabase()).rejects.toThrow(/^Another Pier One/);
});

test('a database that another process took is owned again when that one ends', async () => {
  const database = await startDatabase();
  const postmaster = await readPostmasterPid(directory);
  const other = await takeAway(database);
  expect(await readPostmasterPid(directory)).toBe(postmaster);
  await other.end();
  await untilLogged(/running again/);
  await database.stop();
  expect(await isPostmaster(postmaster)).toBe(false);
});

test('a database that another process took is not stopped', async () => {
  const database = await startDatabase();
  const other = await takeAway(database);
  await database.stop();
  expect((await other.query('select 1')).rowCount).toBe(1);
  await other.end();
  await (await startDatabase()).stop();
});

test('a registry goes on by itself after its PostgreSQL was killed: 503 meanwhile', async () => {
  const { server, api } = await startRegistry();
  const layer = randomSample(1_000_000);
  const image = imageOf(layer);
  await pushBlob(api, 'embedded/killed', layer);
  await expectStatus(putManifest(api, 'embedded/killed', '1.0', image), 201);
  for (let round = 2; round <= 3; round += 1) {
    await killPostmaster(directory);
    await waitUntil('the registry to recover', async () => {
      // Before that, a backend that outlived its postmaster may have answered.
      const isBack = server.log.filter(({ msg }) => msg === RUNNING_AGAIN).length === round - 1;
      const answer = await putManifest(api, 'embedded/killed', `${round}.0`, image);
      if (answer.status === 201) return isBack;
      expect(answer.status).toBe(503);
      expect(errorCodeOf(answer)).toBe('UNAVAILABLE');
      expect(answer.headers['retry-after']).toMatch(/^\d+$/);
      return false;
    });
  }
  const { body } = await expectStatus(
    api.send('GET', `/v2/embedded/killed/blobs/${layer.digest}`),
    200,
  );
  expect(body.equals(layer.bytes)).toBe(true);
  const tags = await expectStatus(api.send('GET', '/v2/embedded/killed/tags/list'), 200);
  expect(JSON.parse(tags.body.toString())).toEqual({
    name: 'embedded/killed',
    tags: ['1.0', '2.0', '3.0'],
  });
  expect(await server.stop()).toBe(0);
});

test.each([0, 20, 50, 100, 200, 400])(
  'a registry that is ended %i ms after its PostgreSQL was killed ends in peace, and leaves no process',
  async (pauseMs) => {
    const { server } = await startRegistry();
    process.kill(-(await readPostmasterPid(directory)), 'SIGKILL');
    await delay(pauseMs);
    expect(await server.stop()).toBe(0);
    // Backends of the killed one end by themselves, a moment later.
    await waitUntil('the last process', async () => (await processesBelow(folder)).length === 0);
  },
);
