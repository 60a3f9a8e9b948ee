import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import {
  type EventReceiver,
  type ReceivedEvent,
  startReceiver,
  TAKES,
} from '../support/event-receiver.ts';
import { HttpClient } from '../support/http-client.ts';
import { startPostgres, type TestPostgres } from '../support/postgres.ts';
import { imageOf, pushBlob, putManifest, sampleOf } from '../support/sample-content.ts';
import { SeededRandom } from '../support/seeded-random.ts';
import { type ServerProcess, startServer } from '../support/server.ts';
import {
  createDatabase,
  makeStorage,
  type StorageDirectory,
  sql,
} from '../support/test-registry.ts';
import { waitUntil } from '../support/wait-until.ts';

const PROGRAM = [
  '--import',
  import.meta.resolve('tsx'),
  fileURLToPath(new URL('../support/outbox-server.ts', import.meta.url)),
];
const CONFIG = sampleOf(Buffer.from('{}'));
const REPOSITORIES = Array.from({ length: 20 }, (_, index) => `team/app${index}`);
const TAGS = Array.from({ length: 50 }, (_, index) => `v${index}`);

let postgres: TestPostgres;
let storage: StorageDirectory;
let databaseUrl: string;
let receiver: EventReceiver;
let started: ServerProcess[];

beforeAll(async () => {
  postgres = await startPostgres();
});
beforeEach(async () => {
  databaseUrl = await createDatabase(postgres.url);
  storage = await makeStorage();
  receiver = await startReceiver();
  started = [];
});
afterEach(async () => {
  await Promise.all(started.map((server) => server.kill()));
  await receiver.close();
  await storage.remove();
});
afterAll(() => postgres?.stop());

async function start(): Promise<ServerProcess> {
  const environment = {
    DATABASE_URL: databaseUrl,
    STORAGE_DIRECTORY: storage.path,
    WORKER_THREADS: '2',
    OUTBOX_DELIVERY_TIMEOUT: '1',
    TEST_SINKS: receiver.url,
  };
  const server = await startServer(environment, PROGRAM);
  started.push(server);
  return server;
}

/** To one of the servers, until one of them says that it is there. */
async function push(servers: readonly ServerProcess[], repository: string, tag: string) {
  const manifest = imageOf(CONFIG, [], tag);
  for (let attempt = 0; attempt < 20; attempt += 1) {
    const server = servers[(attempt + tag.length + repository.length) % servers.length];
    const api = new HttpClient(server?.url ?? '');
    const answer = await putManifest(api, repository, tag, manifest).catch(() => undefined);
    if (answer?.status === 201) return;
  }
  throw new Error(`${repository}:${tag} could not be pushed`);
}

async function pushAll(servers: readonly ServerProcess[], tags: readonly string[]): Promise<void> {
  await Promise.all(
    REPOSITORIES.map(async (repository) => {
      for (const tag of tags) await push(servers, repository, tag);
    }),
  );
}

async function prepare(server: ServerProcess): Promise<void> {
  const api = new HttpClient(server.url);
  for (const repository of REPOSITORIES) await pushBlob(api, repository, CONFIG);
}

/** The first of each event. */
function withoutDoubles(events: readonly ReceivedEvent[]): ReceivedEvent[] {
  const seen = new Set<string>();
  return events.filter(({ id }) => !seen.has(id) && seen.add(id));
}

async function outboxIsEmpty(): Promise<void> {
  await waitUntil('an empty outbox', async () => {
    return (await sql(databaseUrl, 'select from outbox')).length === 0;
  });
}

test('killed between commit and delivery, and in mid-delivery: the next process delivers in order', async () => {
  receiver.answer = () => 'hang';
  const first = await start();
  await pushBlob(new HttpClient(first.url), 'team/app', CONFIG);
  for (const tag of TAGS.slice(0, 5)) await push([first], 'team/app', tag);
  await waitUntil('a delivery under way', () => receiver.seen.length > 0);
  await first.kill();
  receiver.answer = TAKES;
  await start();
  await receiver.took(5);
  await outboxIsEmpty();
  expect(receiver.tagsOf('team/app')).toEqual(TAGS.slice(0, 5));
});

test('1,000 pushes through two instances, one of them killed, to a sink that fails in many ways: all arrive, in order', async () => {
  const a = await start();
  const [b] = await Promise.all([start(), prepare(a)]);
  const random = new SeededRandom(7);
  receiver.answer = () => {
    const chance = random.integer(0, 99);
    if (chance < 5) return 500;
    if (chance < 8) return 'cut';
    return chance < 9 ? 'hang' : 200;
  };
  await pushAll([a, b], TAGS.slice(0, 20));
  await receiver.goDown();
  await pushAll([a, b], TAGS.slice(20, 25));
  await receiver.comeUp();
  receiver.answer = TAKES;
  const seen = receiver.seen.length;
  const rest = pushAll([a, b], TAGS.slice(25));
  await waitUntil('deliveries under way', () => receiver.seen.length > seen);
  const takenBefore = receiver.taken.length;
  await a.kill();
  await rest;
  await receiver.took(1000);
  await outboxIsEmpty();
  for (const repository of REPOSITORIES) {
    const events = receiver.taken.filter((event) => event.repository === repository);
    expect(withoutDoubles(events).map(({ tag }) => tag)).toEqual(TAGS);
  }
  // Before the crash nothing came twice.
  const before = receiver.taken.slice(0, takenBefore);
  expect(withoutDoubles(before)).toHaveLength(takenBefore);
});
