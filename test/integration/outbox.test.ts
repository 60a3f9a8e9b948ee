import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { migrate } from '../../src/meta/pg/migrate.ts';
import { type EventReceiver, startReceiver, takesAfter } from '../support/event-receiver.ts';
import { HttpSink } from '../support/http-sink.ts';
import { JsonValue } from '../support/json.ts';
import { startPostgres, type TestPostgres } from '../support/postgres.ts';
import {
  expectStatus,
  imageOf,
  pushBlob,
  putManifest,
  sampleOf,
} from '../support/sample-content.ts';
import {
  makeStorage,
  type StorageDirectory,
  sql,
  startRegistry,
  type TestRegistry,
} from '../support/test-registry.ts';
import { waitUntil } from '../support/wait-until.ts';

const CONFIG = sampleOf(Buffer.from('{}'));

let postgres: TestPostgres;
let storage: StorageDirectory;
let databaseUrl: string;
let receiver: EventReceiver;
let registry: TestRegistry | undefined;
/** Of the test. */
let app: string;
let tests = 0;

beforeAll(async () => {
  [postgres, storage, receiver] = await Promise.all([
    startPostgres(),
    makeStorage(),
    startReceiver(),
  ]);
  databaseUrl = postgres.url;
  await migrate(databaseUrl);
});
beforeEach(() => {
  receiver.reset();
  tests += 1;
  app = `team-${tests}/app`;
});
afterAll(async () => {
  await receiver?.close();
  await storage?.remove();
  await postgres?.stop();
});

async function start(
  environment: Readonly<Record<string, string>> = {},
  sinks = [new HttpSink('test', receiver.url)],
): Promise<void> {
  const options = { databaseUrl, directory: storage.path, environment, overrides: { sinks } };
  registry = await startRegistry(options);
}

async function close(): Promise<void> {
  await registry?.close();
  registry = undefined;
}

async function push(repository: string, tag: string, note = tag, status = 201): Promise<void> {
  if (!registry) throw new Error('no registry runs');
  await pushBlob(registry.api, repository, CONFIG);
  const manifest = imageOf(CONFIG, [], note);
  await expectStatus(putManifest(registry.api, repository, tag, manifest), status);
}

function names(count: number): string[] {
  return Array.from({ length: count }, (_, index) => `v${index}`);
}

async function outboxIsEmpty(): Promise<void> {
  await waitUntil('an empty outbox', async () => (await outbox()).length === 0);
}

function outbox() {
  return sql(databaseUrl, 'select * from outbox order by id');
}

async function deliveries(query = ''): Promise<JsonValue> {
  const answer = await registry?.api.send('GET', `/events/deliveries${query}`);
  expect(answer?.status).toBe(200);
  return JsonValue.parse(answer?.body.toString() ?? '');
}

/** Waits until it has the value, if one is given. */
async function metricOf(name: string, value?: number): Promise<number> {
  return waitUntil(`the metric ${name}`, async () => {
    const found = await registry?.metric(name).catch(() => undefined);
    return value === undefined || found === value ? found : undefined;
  });
}

describe('with one registry', () => {
  beforeAll(() => start());
  afterAll(close);

  test('a tag, its replacement and a refused overwrite are told in their order, with all that is known', async () => {
    await push(app, '1-SNAPSHOT', 'a');
    await push(app, '1-SNAPSHOT', 'b');
    await push(app, '1.0', 'c');
    await push(app, '1.0', 'd', 409);
    await receiver.took(4);
    const events = receiver.taken.map(({ body }) => body.at('event'));
    expect(receiver.taken.map(({ kind }) => kind)).toEqual([
      'created',
      'replaced',
      'created',
      'refused',
    ]);
    const [first, second, , refused] = events;
    expect(second?.at('previousDigest').text).toBe(first?.at('digest').text);
    expect(first?.at('digest').text).toBe(imageOf(CONFIG, [], 'a').digest);
    expect(first?.at('principal', 'uid').text).toBe('anonymous');
    expect(first?.at('mediaType').text).toBe('application/vnd.oci.image.manifest.v1+json');
    const size = imageOf(CONFIG, [], 'a').bytes.length;
    expect(first?.at('sizeBytes')).toEqual(new JsonValue(size, '$.event.sizeBytes'));
    expect(refused?.at('reason').text).toContain('tag already exists');
    expect(new Set(receiver.taken.map(({ id }) => id)).size).toBe(4);
    await outboxIsEmpty();
  });

  test('a refusal that is repeated at once is counted, and told once', async () => {
    await push(app, '1.0');
    for (let i = 0; i < 3; i += 1) await push(app, '1.0', 'another', 409);
    await receiver.took(2);
    await sql(
      databaseUrl,
      `alter table tag_events disable trigger user;
     update tag_events set last_happened = now() - interval '61 seconds' where kind = 'refused';
     alter table tag_events enable trigger user`,
    );
    await push(app, '1.0', 'another', 409);
    await receiver.took(3);
    await outboxIsEmpty();
    expect(receiver.taken.map(({ kind }) => kind)).toEqual(['created', 'refused', 'refused']);
    expect(new Set(receiver.taken.map(({ id }) => id)).size).toBe(3);
  });

  test('an event that is refused is tried again, and holds those behind it, but no other repository', async () => {
    let refusals = 3;
    receiver.answer = ({ repository, tag }) => {
      if (repository !== 'team/bad' || tag !== 'v0' || refusals === 0) return 200;
      refusals -= 1;
      return 500;
    };
    for (const tag of names(3)) await push('team/bad', tag);
    for (const tag of names(3)) await push('team/good', tag);
    await receiver.took(3);
    expect(receiver.taken.map(({ repository }) => repository)).not.toContain('team/bad');
    await receiver.took(6);
    expect(receiver.tagsOf('team/bad')).toEqual(names(3));
    const ids = receiver.seen.flatMap(({ id, tag }) => (tag === 'v0' ? [id] : []));
    expect([ids.length, new Set(ids).size]).toEqual([5, 2]);
  });

  test('a sink that is down is asked now and then, however much waits, and gets all when it is back', async () => {
    await receiver.goDown();
    const repositories = names(12).map((name) => `team-${tests}/${name}`);
    for (const repository of repositories) {
      for (const tag of names(3)) await push(repository, tag);
    }
    await waitUntil('failed deliveries', async () => {
      const [sink] = (await deliveries()).at('sinks').items;
      return sink?.at('last_error').textOrNull === 'the receiver could not be reached';
    });
    await receiver.comeUp();
    await receiver.took(36);
    for (const repository of repositories) expect(receiver.tagsOf(repository)).toEqual(names(3));
    expect(receiver.taken).toHaveLength(36);
  });
});

describe('with a registry of its own', () => {
  beforeEach(async () => {
    await sql(databaseUrl, 'truncate outbox, outbox_sinks');
  });
  afterEach(close);

  test('with no sinks nothing is written, and what waits for those of before is removed', async () => {
    await sql(
      databaseUrl,
      `insert into outbox (sink, queue, event_id, kind, uid, happened)
     select 'gone', 'team/app', gen_random_uuid(), 'created', 'x', now() - interval '9 days'`,
    );
    await start({}, []);
    await push(app, '1.0');
    await push(app, '1.0', 'another', 409);
    await outboxIsEmpty();
  });

  test('a sink gets what it accepts, and events have one id for all sinks', async () => {
    const other = await startReceiver();
    try {
      await start({}, [
        new HttpSink('all', receiver.url),
        new HttpSink('refusals', other.url, ['refused']),
      ]);
      await push(app, '1.0');
      await push(app, '1.0', 'another', 409);
      await receiver.took(2);
      await other.took(1);
      expect(other.taken.map(({ id }) => id)).toEqual([receiver.taken[1]?.id]);
    } finally {
      await close();
      await other.close();
    }
  });

  test('several repositories are served at once, each of them one event after the other', async () => {
    receiver.answer = takesAfter(20);
    await start({ OUTBOX_CONCURRENCY: '4' });
    const repositories = names(6).map((name) => `team-${tests}/${name}`);
    await Promise.all(
      repositories.map(async (repository) => {
        for (const tag of names(5)) await push(repository, tag);
      }),
    );
    await receiver.took(30);
    for (const repository of repositories) expect(receiver.tagsOf(repository)).toEqual(names(5));
    expect(receiver.most.ofRepository).toBe(1);
    expect(receiver.most.ofAll).toBeGreaterThan(1);
    expect(receiver.most.ofAll).toBeLessThanOrEqual(4);
  });

  test('what takes longer than the time-out is tried again', async () => {
    let isFirst = true;
    receiver.answer = () => {
      if (!isFirst) return 200;
      isFirst = false;
      return 'hang';
    };
    await start({ OUTBOX_DELIVERY_TIMEOUT: '1' });
    await push(app, 'v0');
    await push(app, 'v1');
    await receiver.took(2);
    expect(receiver.tagsOf(app)).toEqual(['v0', 'v1']);
    expect(receiver.seen).toHaveLength(3);
  });

  test('an event that nobody takes is parked, and shown; those behind it go on', async () => {
    receiver.answer = ({ tag }) => (tag === 'v0' ? 500 : 200);
    await start({ OUTBOX_PARK_AFTER: '1' });
    for (const tag of names(3)) await push(app, tag);
    await receiver.took(2);
    expect(receiver.tagsOf(app)).toEqual(['v1', 'v2']);
    await waitUntil('two rows less', async () => (await outbox()).length === 1);
    const error = async () => (await deliveries()).at('sinks', 0, 'last_error').textOrNull;
    await waitUntil('the report of the sink', error);
    const answer = await deliveries();
    const [failed] = answer.at('failed').items;
    expect(failed?.at('id').text).toBe(receiver.seen[0]?.id);
    expect(failed?.at('error').text).toBe('the receiver answered 500');
    expect(failed?.at('parked').text).toMatch(/^20/);
    expect(answer.at('failed').items).toHaveLength(1);
    const sink = answer.at('sinks', 0);
    expect(sink.at('description').text).toBe(`events to ${receiver.url}`);
    expect(sink.at('last_error').text).toBe('the receiver answered 500');
    expect(await metricOf('pierone_outbox_parked{sink="test"}', 1)).toBe(1);
  });

  test('parked events go after their time', async () => {
    receiver.answer = () => 500;
    await start({ OUTBOX_PARK_AFTER: '1', OUTBOX_KEEP_PARKED_HOURS: '1' });
    await push(app, 'v0');
    const parked = () => sql(databaseUrl, 'select from outbox where parked is not null');
    await waitUntil('a parked event', async () => (await parked()).length === 1);
    await registry?.close();
    await sql(databaseUrl, "update outbox set parked = now() - interval '61 minutes'");
    await start({ OUTBOX_PARK_AFTER: '1', OUTBOX_KEEP_PARKED_HOURS: '1' });
    await outboxIsEmpty();
  });

  test('a stuck sink is shown by health, which stays ready, and by metrics', async () => {
    receiver.answer = () => 500;
    await start();
    await push(app, 'v0');
    await sql(databaseUrl, "update outbox set happened = now() - interval '5 minutes'");
    const dependency = await waitUntil('a stuck sink', async () => {
      const answer = await registry?.management.send('GET', '/health/ready');
      expect(answer?.status).toBe(200);
      const sink = JsonValue.parse(answer?.body.toString() ?? '').at('dependencies', 'sink test');
      return sink.at('status').text === 'down' ? sink : undefined;
    });
    expect(dependency.at('reason').text).toBe('1 events wait: the receiver answered 500');
    expect(await metricOf('pierone_outbox_pending{sink="test"}', 1)).toBe(1);
    expect(await metricOf('pierone_outbox_oldest_seconds{sink="test"}')).toBeGreaterThan(299);
  });

  test('what came while no instance ran is delivered by the next one', async () => {
    await receiver.goDown();
    await start();
    await push(app, 'v0');
    await registry?.close();
    await receiver.comeUp();
    await start();
    await push(app, 'v1');
    await receiver.took(2);
    expect(receiver.tagsOf(app)).toEqual(['v0', 'v1']);
  });

  test('a delivery under way at the end of a process ends first', async () => {
    receiver.answer = takesAfter(300);
    await start();
    await push(app, 'v0');
    await waitUntil('a delivery under way', () => receiver.seen.length === 1);
    await close();
    expect(receiver.tagsOf(app)).toEqual(['v0']);
    expect(await outbox()).toEqual([]);
  });

  test('a database that dies in the middle of deliveries makes no doubles', async () => {
    receiver.answer = takesAfter(30);
    await start();
    for (const tag of names(10)) await push(app, tag);
    await waitUntil('deliveries under way', () => receiver.seen.length > 1);
    await postgres.kill();
    await postgres.start();
    await receiver.took(10);
    await outboxIsEmpty();
    expect(receiver.tagsOf(app)).toEqual(names(10));
  });
});
