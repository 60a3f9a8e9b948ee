import { afterAll, beforeAll, expect, test } from 'vitest';
import { Orphans } from '../../src/events/orphans.ts';
import { Outbox } from '../../src/events/outbox.ts';
import type { Sink } from '../../src/events/sink.ts';
import { createLog } from '../../src/log.ts';
import type { MetadataStore } from '../../src/meta/metadata-store.ts';
import { migrate } from '../../src/meta/pg/migrate.ts';
import { SCAN } from '../../src/meta/pg/outbox-statements.ts';
import { openPgMetadataStore } from '../../src/meta/pg/pg-metadata-store.ts';
import { lockOf } from '../../src/meta/records/outbox-records.ts';
import { createMetrics } from '../../src/metrics.ts';
import { rowsRead } from '../support/explain.ts';
import { startPostgres, type TestPostgres } from '../support/postgres.ts';
import { sql } from '../support/test-registry.ts';
import { waitUntil } from '../support/wait-until.ts';

const LOTS = 5;
const EVENTS_OF_LOT = 20_000;
const REPOSITORIES = 500;
const SETTINGS = {
  deliveryTimeoutMs: 10_000,
  concurrency: 32,
  parkAfterMs: 86_400_000,
  keepParkedMs: 86_400_000,
};

let postgres: TestPostgres;
let metadata: MetadataStore;

beforeAll(async () => {
  postgres = await startPostgres();
  await migrate(postgres.url);
  // As soon as the table's settings ask for it, instead of within a minute.
  await sql(postgres.url, "alter system set autovacuum_naptime = '1s'");
  // The disk isn't what is measured.
  await sql(postgres.url, 'alter system set synchronous_commit = off');
  await sql(postgres.url, 'select pg_reload_conf()');
  metadata = openPgMetadataStore({
    url: postgres.url,
    maxConnections: 4,
    isMutableTag: () => false,
    onConnectionLost: () => undefined,
  });
});

afterAll(async () => {
  await metadata?.close();
  await postgres?.stop();
});

async function addEvents(sink: string, count: number): Promise<void> {
  await sql(
    postgres.url,
    `insert into outbox (sink, queue, event_id, kind, tag, uid, happened)
     select $1, 'team/app' || n % ${REPOSITORIES}, gen_random_uuid(), 'created', 'v' || n, 'alice', now()
     from generate_series(1, $2::int) n order by n`,
    [sink, count],
  );
}

/** Bytes of the table and its indexes. */
async function sizeOf(): Promise<number> {
  const [row] = await sql<{ size: string }>(
    postgres.url,
    "select pg_total_relation_size('outbox')::text as size",
  );
  return Number(row?.size);
}

/** As if it were delivered, which takes longer. */
async function removeAll(): Promise<void> {
  const rows = await sql<{ id: string }>(postgres.url, 'select id::text from outbox order by id');
  for (let first = 0; first < rows.length; first += 500) {
    await metadata.outbox.remove(rows.slice(first, first + 500).map(({ id }) => id));
  }
}

async function vacuumsOf(): Promise<number> {
  const [row] = await sql<{ count: string }>(
    postgres.url,
    "select autovacuum_count::text as count from pg_stat_user_tables where relname = 'outbox'",
  );
  return Number(row?.count);
}

class CountingSink implements Sink {
  readonly name = 'counting';
  readonly description = 'counts';
  count = 0;

  accepts(): boolean {
    return true;
  }

  async deliver(): Promise<void> {
    this.count += 1;
  }

  close(): void {}
}

test('100,000 delivered events leave a table that is no larger than after the first two lots of them', async () => {
  const sink = new CountingSink();
  const outbox = new Outbox({
    sinks: [sink],
    records: metadata.outbox,
    locks: metadata.locks,
    settings: SETTINGS,
    metrics: createMetrics(),
    log: createLog('silent'),
    saw: () => undefined,
  });
  const sizes: number[] = [];
  outbox.start();
  try {
    for (let lot = 1; lot <= LOTS; lot += 1) {
      await addEvents(lot === 1 ? sink.name : 'another', EVENTS_OF_LOT);
      if (lot === 1) await waitUntil('a delivered lot', () => sink.count === EVENTS_OF_LOT);
      else await removeAll();
      sizes.push(await sizeOf());
      const vacuums = await vacuumsOf();
      await waitUntil('a vacuum', async () => (await vacuumsOf()) > vacuums);
    }
    // How far the first lots make it grow depends on when a vacuum comes by.
    expect(Math.max(...sizes.slice(2))).toBeLessThan(1.5 * Math.max(...sizes.slice(0, 2)));
    expect(await sql(postgres.url, 'select from outbox')).toEqual([]);
  } finally {
    await outbox.stop();
  }
});

test('to find what is due reads as much as it gives, however much waits', async () => {
  for (const sink of ['dead', 'slow']) await addEvents(sink, 25_000);
  const [queues, depth] = [32, 16];
  for (const statistics of ['those of before', 'new ones']) {
    if (statistics === 'new ones') await sql(postgres.url, 'analyze outbox');
    const rows = await rowsRead(postgres.url, SCAN, ['dead', depth, 'team/app', queues]);
    // Of each queue its name, its first event, and as many as are wanted.
    expect(rows['outbox']).toBeLessThanOrEqual(queues * (depth + 3));
    const none = await rowsRead(postgres.url, SCAN, ['none', depth, '', queues]);
    expect(none['outbox'] ?? 0).toBe(0);
  }
});

test('what a sink that is down left for too long is parked, some at a time, and listed in pages', async () => {
  const { outbox } = metadata;
  await addEvents('down', 5);
  await sql(
    postgres.url,
    "update outbox set happened = now() - interval '2 hours' where sink = 'down' and tag <> 'v5'",
  );
  const hourMs = 3_600_000;
  expect(await outbox.parkAged('down', hourMs, 'it was down', 3)).toBe(3);
  expect(await outbox.parkAged('down', hourMs, 'it was down', 3)).toBe(1);
  const first = await outbox.listFailed(undefined, 3);
  const rest = await outbox.listFailed(first.at(-1)?.id, 3);
  expect([...first, ...rest].map(({ event }) => event.tag)).toEqual(['v1', 'v2', 'v3', 'v4']);
  expect(rest[0]).toMatchObject({ sink: 'down', error: 'it was down', parked: expect.any(Date) });
  const [queue] = await outbox.scan('down', undefined, 5, 5);
  expect(queue?.entries.map(({ event }) => event.tag)).toEqual(['v5']);
});

test('old events of sinks that no instance has any more are removed, and so is what was told of these', async () => {
  const all = ['gone', 'held', 'mine', 'young'];
  await sql(postgres.url, 'truncate outbox');
  for (const sink of all) {
    await addEvents(sink, sink === 'gone' ? 1500 : 1);
    await metadata.outbox.report(sink, {});
  }
  await sql(
    postgres.url,
    "update outbox set happened = now() - interval '2 hours' where sink <> 'young'",
  );
  const lock = await metadata.locks.tryAcquire(lockOf('held'));
  const orphans = new Orphans({
    sinks: ['mine'],
    records: metadata.outbox,
    locks: metadata.locks,
    keepMs: 3_600_000,
    log: createLog('silent'),
  });
  orphans.start();
  try {
    await waitUntil('a sink less', async () => {
      const known = await sql<{ sink: string }>(postgres.url, 'select sink from outbox_sinks');
      return known.every(({ sink }) => sink !== 'gone');
    });
  } finally {
    await orphans.stop();
    await lock?.release();
  }
  expect(await metadata.outbox.sinks()).toEqual(all.filter((sink) => sink !== 'gone'));
  const left = await sql<{ sink: string }>(postgres.url, 'select sink from outbox order by sink');
  expect(left.map(({ sink }) => sink)).toEqual(['held', 'mine', 'young']);
});
