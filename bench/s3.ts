import { type Blob, MIB, makeBlob } from './blob.ts';
import { type PushMode, pull, push, verify } from './client.ts';
import { readOptions } from './options.ts';
import { cpuSeconds, peakMemoryMib } from './process-usage.ts';
import type { Registry } from './registries.ts';
import { openS3Place } from './s3-place.ts';
import { median, printTable, spread } from './statistics.ts';

/*
 * Pushes and pulls of registries that keep their layers in S3: ours and the peer, on one Ceph RGW on disk.
 */

interface Work {
  readonly name: string;
  readonly clients: number;
  readonly layerMib: number;
  /** Undefined: a pull of what was pushed before. */
  readonly mode: PushMode | undefined;
  /** How many times the peer's throughput ours shall have. */
  readonly target: number;
}

const WORKS: readonly Work[] = [
  { name: 'push', clients: 1, layerMib: 512, mode: 'chunked', target: 2 },
  { name: 'push five', clients: 5, layerMib: 100, mode: 'chunked', target: 2 },
  { name: 'push ranges', clients: 1, layerMib: 512, mode: 'ranges', target: 4 },
  { name: 'pull', clients: 1, layerMib: 512, mode: undefined, target: 1 },
];

interface Run {
  /** 10^6 bytes per second. */
  readonly speed: number;
  readonly cpuSecondsPerGib: number;
}

const options = readOptions({
  runs: '5',
  'budget-mib': '256',
  distance: 'near',
  only: 'both',
  works: WORKS.map(({ name }) => name).join(','),
});
const budgetMib = options.count('budget-mib');
const rounds = options.count('runs');
const only = options.choice('only', ['both', 'ours', 'peer']);
const isDistant = options.choice('distance', ['near', 'far']) === 'far';
const works = WORKS.filter(({ name }) => options.text('works').split(',').includes(name));
const names = ['ours', 'peer'].filter((name) => only === 'both' || only === name);

const runs = new Map<string, Run[]>();
const peaks: number[] = [];
const place = await openS3Place(isDistant);
try {
  for (let round = 1; round <= rounds; round += 1) {
    const order = round % 2 === 1 ? names : names.toReversed();
    for (const name of order) await runAll(name, round);
  }
  report();
} finally {
  await place.stop();
}

/** All works on a fresh registry and bucket. */
async function runAll(name: string, round: number): Promise<void> {
  const environment = { BUFFER_MEMORY_MIB: String(budgetMib) };
  const registry = await (name === 'ours' ? place.startOurs(environment) : place.startPeer());
  try {
    const pulled = makeBlob(64);
    await push(registry.url, 'bench/warm-up', pulled, 'chunked');
    const largest = makeBlob(512);
    await push(registry.url, 'bench/pull', largest, 'chunked');
    await verify(registry.url, 'bench/pull', largest);
    await verify(registry.url, 'bench/pull', largest);
    for (const work of works) {
      const run = await measure(registry, work, largest);
      const key = `${name} ${work.name}`;
      runs.set(key, [...(runs.get(key) ?? []), run]);
      console.log(`run ${round}: ${key.padEnd(17)} ${run.speed.toFixed(0).padStart(5)} MB/s`);
    }
    if (name === 'ours') peaks.push(peakMemoryMib(registry.pid));
  } finally {
    await registry.stop();
  }
}

async function measure({ url, pid }: Registry, work: Work, stored: Blob): Promise<Run> {
  const { clients, layerMib, mode } = work;
  const blobs = mode ? Array.from({ length: clients }, () => makeBlob(layerMib)) : [stored];
  const cpuBefore = cpuSeconds(pid);
  const start = performance.now();
  const each = await Promise.all(
    blobs.map((blob) =>
      mode
        ? push(url, 'bench/push', blob, mode)
        : pull(url, 'bench/pull', blob.digest).then(({ seconds }) => seconds),
    ),
  );
  const seconds = each.length === 1 ? Math.max(...each) : (performance.now() - start) / 1000;
  const cpu = cpuSeconds(pid) - cpuBefore;
  const [blob] = blobs;
  if (blob) await verify(url, mode ? 'bench/push' : 'bench/pull', blob);
  const bytes = blobs.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  return { speed: bytes / 1e6 / seconds, cpuSecondsPerGib: cpu / (bytes / (1024 * MIB)) };
}

function report(): void {
  const where = isDistant ? ', through a proxy with 30 ms and 90 MB/s for each connection' : '';
  console.log(
    `\nS3: Ceph RGW on disk${where}; ${rounds} interleaved runs, ${budgetMib} MiB budget`,
  );
  printTable(
    ['work', 'registry', 'MB/s, median', 'spread', 'CPU s per GiB', 'ours / peer (target)'],
    works.flatMap((work) => names.map((name) => describe(name, work))),
  );
  if (peaks.length > 0) {
    console.log(`peak memory of our process: ${Math.max(...peaks).toFixed(0)} MiB`);
  }
}

function describe(name: string, work: Work): string[] {
  const speeds = speedsOf(name, work);
  const cpu = median((runs.get(`${name} ${work.name}`) ?? []).map((run) => run.cpuSecondsPerGib));
  const isOurs = name === 'ours' && names.includes('peer');
  return [
    `${work.name}, ${work.clients} × ${work.layerMib} MiB`,
    name,
    median(speeds).toFixed(0),
    spread(speeds),
    cpu.toFixed(2),
    isOurs ? ratio(work) : '',
  ];
}

function ratio(work: Work): string {
  const value = median(speedsOf('ours', work)) / median(speedsOf('peer', work));
  return `${value.toFixed(2)} (${work.target}) ${value >= work.target ? 'pass' : 'fail'}`;
}

function speedsOf(name: string, { name: work }: Work): number[] {
  return (runs.get(`${name} ${work}`) ?? []).map(({ speed }) => speed);
}
