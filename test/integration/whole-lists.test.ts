import { readFile } from 'node:fs/promises';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { migrate } from '../../src/meta/pg/migrate.ts';
import { generateCatalog, MANY_TAGS } from '../support/generated-catalog.ts';
import { HttpClient } from '../support/http-client.ts';
import { startPostgres, type TestPostgres } from '../support/postgres.ts';
import { RawClient, requestHead } from '../support/raw-http.ts';
import { type ServerProcess, startServer } from '../support/server.ts';
import {
  makeStorage,
  type StorageDirectory,
  sql,
  startRegistry,
  type TestRegistry,
} from '../support/test-registry.ts';
import { waitUntil } from '../support/wait-until.ts';

const [TEAM, ARTIFACT] = MANY_TAGS.split('/');
const TAGS = `/teams/${TEAM}/artifacts/${ARTIFACT}/tags?all=true`;
const COUNT = 100_000;
const MIB = 1024 * 1024;

let postgres: TestPostgres;
let storage: StorageDirectory;
let registry: TestRegistry | undefined;
let server: ServerProcess | undefined;

beforeAll(async () => {
  postgres = await startPostgres();
  storage = await makeStorage();
  await migrate(postgres.url);
  await generateCatalog(postgres.url, { repositories: 2000, tags: COUNT });
});

afterEach(async () => {
  await registry?.close();
  await server?.stop();
  registry = undefined;
  server = undefined;
});

afterAll(async () => {
  await storage?.remove();
  await postgres?.stop();
});

function startHere(environment = {}): Promise<TestRegistry> {
  return startRegistry({ databaseUrl: postgres.url, directory: storage.path, environment });
}

/** Connections that hold a cursor. */
async function openCursors(): Promise<number> {
  const rows = await sql(
    postgres.url,
    "select pid from pg_stat_activity where application_name = 'pierone' and state like 'idle in transaction%'",
  );
  return rows.length;
}

async function cursorsAre(count: number): Promise<void> {
  await waitUntil(`${count} open cursors`, async () => (await openCursors()) === count);
}

/** A reader that asks for the whole list, and reads nothing. */
async function openReader(url: string): Promise<RawClient> {
  const reader = await RawClient.open(Number(new URL(url).port));
  reader.pauseReading();
  reader.send(requestHead('GET', TAGS));
  return reader;
}

test('a whole list of 100,000 tags is sent in order, each once', async () => {
  registry = await startHere();
  const answer = await registry.api.send('GET', TAGS);
  expect(answer.status).toBe(200);
  const names = [...answer.body.toString().matchAll(/"name":"([^"]+)"/g)].map(([, name]) => name);
  const wanted = Array.from({ length: COUNT }, (_, n) => `tag-${n + 1}`);
  expect(names).toEqual([...wanted, '1.0']);
  await cursorsAre(0);
});

test('a reader that does not read holds its cursor back, and no one else; it gets the list as it was', async () => {
  registry = await startHere();
  const reader = await openReader(registry.url);
  await cursorsAre(1);
  await sql(
    postgres.url,
    `insert into tags select repository_id, 'late', digest, mutability, now(), created_by
     from tags where name = 'tag-1'`,
  );
  expect((await registry.api.send('GET', '/teams')).status).toBe(200);
  expect((await registry.api.send('GET', `${TAGS}&limit=1000`)).status).toBe(200);
  await cursorsAre(1);
  reader.resumeReading();
  const { body } = await reader.readAnswer();
  expect(body.toString()).not.toContain('"late"');
  expect(body.toString().match(/"name":/g)).toHaveLength(COUNT + 1);
  await cursorsAre(0);
  reader.destroy();
  await sql(postgres.url, "delete from tags where name = 'late'");
});

test('a reader that goes away gives its connection back', async () => {
  registry = await startHere();
  const reader = await openReader(registry.url);
  await cursorsAre(1);
  reader.destroy();
  await cursorsAre(0);
});

test('readers that hold all cursors keep no page, pull or short list waiting', async () => {
  registry = await startHere({ DB_MAX_POOL: '2' });
  const readers: RawClient[] = [];
  for (let i = 0; i < 6; i += 1) readers.push(await openReader(registry.url));
  await cursorsAre(4);
  for (const path of ['/teams', `${TAGS}&limit=10`, `/v2/${MANY_TAGS}/tags/list?n=10`]) {
    expect((await registry.api.send('GET', path)).status).toBe(200);
  }
  for (const reader of readers) reader.destroy();
  await cursorsAre(0);
});

test('whole lists take no memory that grows with them', async () => {
  server = await startServer({ DATABASE_URL: postgres.url, STORAGE_DIRECTORY: storage.path });
  const api = new HttpClient(server.url);
  // The first ones bring in what the program needs of its own accord: code, connections, room for what is collected.
  await readThree(api);
  const before = await peakBytes(server.pid);
  const bytes = (await readThree(api)) + (await readThree(api));
  expect(bytes).toBeGreaterThan(120 * MIB);
  expect((await peakBytes(server.pid)) - before).toBeLessThan(20 * MIB);
});

/** @returns how much was sent */
async function readThree(api: HttpClient): Promise<number> {
  const answers = await Promise.all([TAGS, TAGS, TAGS].map((path) => api.send('GET', path)));
  return answers.reduce((sum, { body }) => sum + body.length, 0);
}

/** The most memory that the process had at once. */
async function peakBytes(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  return Number(/^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1]) * 1024;
}
