import { MIB, makeBlob } from './blob.ts';
import { push } from './client.ts';
import { syncDisk } from './disk.ts';
import { readOptions } from './options.ts';
import { memoryMib, peakMemoryMib, resetPeakMemory } from './process-usage.ts';
import { ensurePrograms } from './programs.ts';
import { type Registry, startOurs, startPeer } from './registries.ts';
import { openS3Place } from './s3-place.ts';
import { printTable } from './statistics.ts';

interface Scenario {
  readonly clients: number;
  readonly layerMib: number;
  /** Most memory that the server's process may hold. */
  readonly targetMib: number;
}

const options = readOptions({
  'layer-mib': '4096',
  clients: '32',
  'client-layer-mib': '100',
  only: 'ours',
  store: 'directory',
  'budget-mib': '64',
});
const isOnS3 = options.choice('store', ['directory', 's3']) === 's3';
const isPeer = options.choice('only', ['ours', 'peer']) === 'peer';
const budgetMib = options.count('budget-mib');
if (isPeer) ensurePrograms('bench');
if (isOnS3) ensurePrograms('s3');
const place = isOnS3 ? await openS3Place(false) : undefined;
const s3TargetMib = 150 + budgetMib;
const scenarios: readonly Scenario[] = [
  { clients: 1, layerMib: options.count('layer-mib'), targetMib: isOnS3 ? s3TargetMib : 250 },
  {
    clients: options.count('clients'),
    layerMib: options.count('client-layer-mib'),
    targetMib: isOnS3 ? s3TargetMib : 300,
  },
];

const rows: string[][] = [];
try {
  for (const scenario of scenarios) rows.push(await measure(scenario));
} finally {
  await place?.stop();
}
printTable(['push', 'resting MiB', 'peak MiB', 'target MiB', 'result', 'MB/s'], rows);
if (rows.some((row) => row.includes('fail'))) process.exitCode = 1;

function start(): Promise<Registry> {
  const environment = { BUFFER_MEMORY_MIB: String(budgetMib) };
  if (isPeer) return place ? place.startPeer() : startPeer();
  return place ? place.startOurs(environment) : startOurs({ environment });
}

/** Pushes with all clients at once into a fresh registry, with chunked bodies, as docker does. */
async function measure({ clients, layerMib, targetMib }: Scenario): Promise<string[]> {
  const blobs = Array.from({ length: clients }, () => makeBlob(layerMib));
  const registry = await start();
  try {
    await syncDisk();
    const resting = memoryMib(registry.pid);
    resetPeakMemory(registry.pid);
    const begin = performance.now();
    await Promise.all(blobs.map((blob) => push(registry.url, 'bench/memory', blob, 'chunked')));
    const seconds = (performance.now() - begin) / 1000;
    const peak = peakMemoryMib(registry.pid);
    return [
      `${clients} × ${layerMib} MiB`,
      resting.toFixed(0),
      peak.toFixed(0),
      String(targetMib),
      peak <= targetMib ? 'pass' : 'fail',
      ((clients * layerMib * MIB) / 1e6 / seconds).toFixed(0),
    ];
  } finally {
    await registry.stop();
  }
}
