import { randomFillSync } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import { HttpClient } from '../test/support/http-client.ts';
import {
  expectStatus,
  imageOf,
  pushBlob,
  putManifest,
  sampleOf,
} from '../test/support/sample-content.ts';
import { tarEnd, tarHeader, tarPadding } from '../test/support/tar-writer.ts';
import { sql } from '../test/support/test-registry.ts';
import { MIB, makeBlob } from './blob.ts';
import { push } from './client.ts';
import { levelDisk } from './disk.ts';
import { readOptions } from './options.ts';
import { peakMemoryMib, resetPeakMemory } from './process-usage.ts';
import { startOurs } from './registries.ts';
import { startPostgres } from './services.ts';
import { median, printTable, spread } from './statistics.ts';

/** Least speed of a push while a layer is looked into, as a share of that without. */
const TARGET = 0.95;

const options = readOptions({ 'layer-mib': '256', 'scanned-mib': '1024', runs: '7' });
const layerMib = options.count('layer-mib');
const postgres = await startPostgres();
const registry = await startOurs({ environment: { DATABASE_URL: postgres.url } });
const api = new HttpClient(registry.url);
const speeds = { without: new Array<number>(), meanwhile: new Array<number>() };
const peaks = { without: new Array<number>(), meanwhile: new Array<number>() };
try {
  const layer = makeLayer(options.count('scanned-mib'));
  await pushImage(layer);
  await untilScanned(layer.digest);
  await push(registry.url, 'bench/push', makeBlob(layerMib), 'chunked');
  for (let run = 1; run <= options.count('runs'); run += 1) {
    await measure('without');
    await measure('meanwhile', () => scanAgain(layer.digest));
    if (await isScanned(layer.digest)) console.log(`run ${run}: the scan ended before the push`);
    await untilScanned(layer.digest);
  }
  report();
} finally {
  await registry.stop();
  await postgres.stop();
}

async function measure(
  kind: 'without' | 'meanwhile',
  begin: () => Promise<void> = async () => undefined,
): Promise<void> {
  const blob = makeBlob(layerMib);
  await begin();
  // Last: a virtual machine gives memory that is free for a second back to its host, and a push after a pause of 3 s
  // has a third of its speed, with or without a scan.
  await levelDisk(layerMib);
  resetPeakMemory(registry.pid);
  const seconds = await push(registry.url, 'bench/push', blob, 'chunked');
  speeds[kind].push(blob.sizeBytes / 1e6 / seconds);
  peaks[kind].push(peakMemoryMib(registry.pid));
}

/** One large file that can't be compressed, in gzip; there is no source in it, so that all is read. */
function makeLayer(sizeMib: number) {
  const size = sizeMib * MIB;
  const content = randomFillSync(Buffer.allocUnsafe(size));
  const tar = Buffer.concat([tarHeader('file', size), content, tarPadding(size), tarEnd()]);
  return sampleOf(gzipSync(tar, { level: 1 }));
}

async function pushImage(layer: ReturnType<typeof makeLayer>): Promise<void> {
  const config = sampleOf(Buffer.from('{}'));
  await pushBlob(api, 'bench/scanned', config);
  await pushBlob(api, 'bench/scanned', layer);
  const image = imageOf(config, [layer]);
  await expectStatus(putManifest(api, 'bench/scanned', '1.0', image), 201);
}

/** Resolves when the scan has begun. */
async function scanAgain(digest: string): Promise<void> {
  await sql(
    postgres.url,
    "update scm_scans set state = 'due', due = now(), attempts = 0 where digest = $1",
    [digest],
  );
  const begun = 'select from scm_scans where digest = $1 and due > now()';
  while ((await sql(postgres.url, begun, [digest])).length === 0) await delay(20);
}

async function isScanned(digest: string): Promise<boolean> {
  const rows = await sql(
    postgres.url,
    "select from scm_scans where digest = $1 and state <> 'due'",
    [digest],
  );
  return rows.length > 0;
}

async function untilScanned(digest: string): Promise<void> {
  while (!(await isScanned(digest))) await delay(100);
}

function report(): void {
  const share = median(speeds.meanwhile) / median(speeds.without);
  const row = (kind: 'without' | 'meanwhile') => [
    kind,
    median(speeds[kind]).toFixed(0),
    spread(speeds[kind]),
    median(peaks[kind]).toFixed(0),
  ];
  printTable(
    ['scan', 'MB/s, median', 'spread', 'peak MiB', `meanwhile / without (target ${TARGET})`],
    [
      [...row('without'), ''],
      [...row('meanwhile'), `${share.toFixed(2)} ${share >= TARGET ? 'pass' : 'fail'}`],
    ],
  );
}
