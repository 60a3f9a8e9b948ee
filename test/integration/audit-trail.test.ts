import { Client } from 'pg';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { JsonValue } from '../support/json.ts';
import {
  expectStatus,
  imageOf,
  pushBlob,
  putManifest,
  sampleOf,
} from '../support/sample-content.ts';
import { openFixture, type RegistryFixture, sql } from '../support/test-registry.ts';

let fixture: RegistryFixture;
const clients: Client[] = [];
const CONFIG = sampleOf(Buffer.from('{}'));

beforeAll(async () => {
  fixture = await openFixture();
  await pushBlob(fixture.registry.api, 'team/app', CONFIG);
  await push('1.0', 'a', 201);
});

afterEach(async () => {
  for (const client of clients.splice(0)) await client.end();
});

afterAll(() => fixture?.close());

async function push(tag: string, note: string, status: number): Promise<void> {
  const manifest = imageOf(CONFIG, [], note);
  await expectStatus(putManifest(fixture.registry.api, 'team/app', tag, manifest), status);
}

test.each([
  ["update tag_events set uid = 'somebody else'", 'UPDATE'],
  ['update tag_events set happened = now()', 'UPDATE'],
  ['update tag_events set repetitions = repetitions - 1', 'UPDATE'],
  ["update tag_events set repetitions = repetitions + 1, reason = 'another'", 'UPDATE'],
  ['delete from tag_events', 'DELETE'],
  ['truncate tag_events', 'TRUNCATE'],
])('the database refuses: %s', async (statement, operation) => {
  const { url } = fixture.database;
  const before = await sql(url, 'select * from tag_events order by id');
  await expect(sql(url, statement)).rejects.toThrow(
    `tag_events only grows: ${operation} is refused`,
  );
  expect(await sql(url, 'select * from tag_events order by id')).toEqual(before);
});

test('the same refusal is counted, and its first time stays', async () => {
  await push('1.0', 'b', 409);
  const [first] = await refusals();
  await push('1.0', 'b', 409);
  await push('1.0', 'b', 409);
  const [last, ...others] = await refusals();
  expect(others).toEqual([]);
  expect(last).toMatchObject({ repetitions: 3, happened: first?.['happened'] });
});

async function refusals() {
  return sql(fixture.database.url, "select * from tag_events where kind = 'refused'");
}

/** What somebody sees who goes on from the last event of the page before. */
async function readFrom(path: string): Promise<{ tags: string[]; next: string }> {
  const page = await fixture.registry.api.send('GET', path);
  const tags = JsonValue.parse(page.body.toString()).items.map((item) => item.at('tag').text);
  return { tags, next: /^<(.+)>;/.exec(page.headers['link'] ?? '')?.[1] ?? path };
}

async function begin(): Promise<Client> {
  const client = new Client({ connectionString: fixture.database.url });
  clients.push(client);
  await client.connect();
  await client.query('begin');
  return client;
}

const ADD = `insert into tag_events (repository, tag, kind, digest, uid)
             values ('team/pages', $1, 'created', 'sha256:' || repeat('a', 64), 'tester')`;

test('whoever goes on behind the last event misses none that was under way', async () => {
  const start = await readFrom('/events?limit=1000');
  const [slow, quick, undone] = [await begin(), await begin(), await begin()];
  await undone.query(ADD, ['undone']);
  await slow.query(ADD, ['slow']);
  await quick.query(ADD, ['quick']);
  await quick.query('commit');
  const early = await readFrom(start.next);
  expect(early.tags).toEqual([]);
  await undone.query('rollback');
  expect((await readFrom(early.next)).tags).toEqual([]);
  await slow.query('commit');
  const late = await readFrom(early.next);
  expect(late.tags).toEqual(['slow', 'quick']);
  expect((await readFrom(late.next)).tags).toEqual([]);
});

test('a transaction that writes no event keeps none back', async () => {
  const start = await readFrom('/events?limit=1000');
  const reader = await begin();
  await reader.query("update tags set created_by = 'nobody' where name = 'no such tag'");
  await push('2.0', 'c', 201);
  expect((await readFrom(start.next)).tags).toEqual(['2.0']);
});
