import { fileURLToPath } from 'node:url';
import { startReceiver } from '../test/support/event-receiver.ts';
import { HttpClient } from '../test/support/http-client.ts';
import {
  expectStatus,
  imageOf,
  pushBlob,
  putManifest,
  sampleOf,
} from '../test/support/sample-content.ts';
import { createDatabase, sql } from '../test/support/test-registry.ts';
import { readOptions } from './options.ts';
import { type Registry, startOurs } from './registries.ts';
import { startPostgres } from './services.ts';
import { median, percentile, printTable, spread } from './statistics.ts';

/** Most that pushes with a sink that is down may take, as a multiple of those without any sink. */
const TARGET = 1.1;
const ENTRY = fileURLToPath(new URL('../test/support/outbox-server.ts', import.meta.url));
const CONFIG = sampleOf(Buffer.from('{}'));

const options = readOptions({ pushes: '200', clients: '8', runs: '5' });
const pushes = options.count('pushes');
const clients = options.count('clients');

interface Candidate {
  readonly name: string;
  readonly registry: Registry;
  readonly databaseUrl: string;
  readonly perSecond: number[];
  readonly milliseconds: number[];
}

const postgres = await startPostgres();
const hanging = await startReceiver();
hanging.answer = () => 'hang';
const refusing = await startReceiver();
await refusing.goDown();
const candidates: Candidate[] = [];
try {
  candidates.push(await start('no sink', ''));
  candidates.push(await start('refuses connections', refusing.url));
  candidates.push(await start('never answers', hanging.url));
  for (const candidate of candidates) await measure(candidate, 'warm-up');
  for (const { perSecond, milliseconds } of candidates) {
    perSecond.splice(0);
    milliseconds.splice(0);
  }
  for (let run = 1; run <= options.count('runs'); run += 1) {
    // Whoever comes first in a run isn't always the same.
    const order = run % 2 === 0 ? candidates : candidates.toReversed();
    for (const candidate of order) await measure(candidate, `run-${run}`);
  }
  await report();
} finally {
  for (const { registry } of candidates) await registry.stop();
  await hanging.close();
  await postgres.stop();
}

async function start(name: string, sink: string): Promise<Candidate> {
  const databaseUrl = await createDatabase(postgres.url);
  const registry = await startOurs({
    entry: ENTRY,
    nodeArguments: ['--import', import.meta.resolve('tsx')],
    environment: { DATABASE_URL: databaseUrl, TEST_SINKS: sink, SYSTEM_LOG_LEVEL: 'error' },
  });
  const api = new HttpClient(registry.url);
  for (let client = 0; client < clients; client += 1) await pushBlob(api, nameOf(client), CONFIG);
  return { name, registry, databaseUrl, perSecond: [], milliseconds: [] };
}

function nameOf(client: number): string {
  return `bench/app${client}`;
}

async function measure({ registry, perSecond, milliseconds }: Candidate, run: string) {
  const api = new HttpClient(registry.url);
  const begin = performance.now();
  await Promise.all(
    Array.from({ length: clients }, async (_, client) => {
      for (let push = client; push < pushes; push += clients) {
        const tag = `${run}-${push}`;
        const manifest = imageOf(CONFIG, [], tag);
        const before = performance.now();
        await expectStatus(putManifest(api, nameOf(client), tag, manifest), 201);
        milliseconds.push(performance.now() - before);
      }
    }),
  );
  perSecond.push(pushes / ((performance.now() - begin) / 1000));
}

async function report(): Promise<void> {
  const rows: string[][] = [];
  for (const { name, databaseUrl, perSecond, milliseconds } of candidates) {
    const waiting = await sql(databaseUrl, 'select from outbox');
    rows.push([
      name,
      median(perSecond).toFixed(0),
      spread(perSecond),
      median(milliseconds).toFixed(1),
      percentile(milliseconds, 0.95).toFixed(1),
      String(waiting.length),
    ]);
  }
  const head = ['sink', 'pushes/s', 'spread', 'ms, median', 'ms, 95 %', 'events that wait'];
  printTable(head, rows);
  const [without, ...others] = candidates.map(({ milliseconds }) => median(milliseconds));
  const worst = Math.max(...others) / (without ?? 0);
  console.log(
    `a push with a sink that is down takes ${worst.toFixed(2)} times as long; ${TARGET} is wanted`,
  );
  process.exitCode = worst <= TARGET ? 0 : 1;
}
