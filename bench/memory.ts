import { MIB, makeBlob } from './blob.ts';
import { push } from './client.ts';
import { syncDisk } from './disk.ts';
import { readOptions } from './options.ts';
import { memoryMib, peakMemoryMib, resetPeakMemory } from './process-usage.ts';
import { startOurs, startPeer } from './registries.ts';
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
});
const start = options.choice('only', ['ours', 'peer']) === 'peer' ? startPeer : startOurs;
const scenarios: readonly Scenario[] = [
  { clients: 1, layerMib: options.count('layer-mib'), targetMib: 250 },
  {
    clients: options.count('clients'),
    layerMib: options.count('client-layer-mib'),
    targetMib: 300,
  },
];

const rows: string[][] = [];
for (const scenario of scenarios) rows.push(await measure(scenario));
printTable(['push', 'resting MiB', 'peak MiB', 'target MiB', 'result', 'MB/s'], rows);
if (rows.some((row) => row.includes('fail'))) process.exitCode = 1;

/** Pushes with all clients at once into a fresh registry, with chunked bodies, as docker does. */
async function measure({ clients, layerMib, targetMib }: Scenario): Promise<string[]> {
  const blobs = Array.from({ length: clients }, () => makeBlob(layerMib));
  const registry = await start();
  try {
    syncDisk();
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
