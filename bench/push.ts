import { type Blob, MIB, makeBlob } from './blob.ts';
import { PUSH_MODES, type PushMode, push, verify } from './client.ts';
import { levelDisk } from './disk.ts';
import { readOptions } from './options.ts';
import { cpuSeconds } from './process-usage.ts';
import { type Registry, type Start, startOurs, startPeer } from './registries.ts';
import { median, printTable, spread } from './statistics.ts';

/** How many times the peer's throughput ours shall have. */
const TARGET_RATIO = 1.5;
const WARM_UP_MIB = 64;

const REGISTRIES: Readonly<Record<string, Start>> = {
  ours: () => startOurs(),
  peer: () => startPeer(),
};

interface Run {
  /** 10^6 bytes per second. */
  readonly megabytesPerSecond: number;
  readonly cpuSecondsPerGib: number;
}

const options = readOptions({
  'layer-mib': '512',
  clients: '1',
  runs: '5',
  modes: 'chunked,length',
  only: 'both',
});
const modes = options.text('modes').split(',').map(parseMode);
const layerMib = options.count('layer-mib');
const clients = options.count('clients');
const rounds = options.count('runs');
const only = options.choice('only', ['both', 'ours', 'peer']);
const names = Object.keys(REGISTRIES).filter((name) => only === 'both' || only === name);

const layers = new Map(modes.map((mode) => [mode, makeBlobs()]));
const runs = new Map<string, Run[]>();
for (let round = 1; round <= rounds; round++) {
  // The one that begins alternates, so that neither always finds the disk as the other left it.
  const order = round % 2 === 1 ? names : names.toReversed();
  for (const mode of modes) for (const name of order) await runOnce(name, mode, round);
}
report();

function parseMode(text: string): PushMode {
  const mode = PUSH_MODES.find((candidate) => candidate === text);
  if (!mode) throw new Error(`--modes takes some of ${PUSH_MODES.join(',')}; "${text}" is none`);
  return mode;
}

function makeBlobs(): Blob[] {
  return Array.from({ length: clients }, () => makeBlob(layerMib));
}

/** One run on a fresh registry. */
async function runOnce(name: string, mode: PushMode, round: number): Promise<void> {
  const registry = await (REGISTRIES[name] ?? startOurs)();
  try {
    await push(registry.url, 'bench/warm-up', makeBlob(WARM_UP_MIB), mode);
    const run = await measure(registry, mode, layers.get(mode) ?? []);
    const key = `${name} ${mode}`;
    runs.set(key, [...(runs.get(key) ?? []), run]);
    console.log(
      `run ${round}: ${key.padEnd(12)} ${run.megabytesPerSecond.toFixed(0).padStart(5)} MB/s`,
    );
  } finally {
    await registry.stop();
  }
}

/** Pushes all blobs at once. */
async function measure(
  { url, pid }: Registry,
  mode: PushMode,
  blobs: readonly Blob[],
): Promise<Run> {
  levelDisk(clients * layerMib);
  const cpuBefore = cpuSeconds(pid);
  const start = performance.now();
  const seconds = await Promise.all(blobs.map((blob) => push(url, 'bench/push', blob, mode)));
  // A single client's own figure leaves the HEAD out; of several it is the last one that counts.
  const total = blobs.length === 1 ? Math.max(...seconds) : (performance.now() - start) / 1000;
  const cpu = cpuSeconds(pid) - cpuBefore;
  await Promise.all(blobs.slice(0, 1).map((blob) => verify(url, 'bench/push', blob)));
  const bytes = blobs.reduce((sum, blob) => sum + blob.sizeBytes, 0);
  return {
    megabytesPerSecond: bytes / 1e6 / total,
    cpuSecondsPerGib: cpu / (bytes / (1024 * MIB)),
  };
}

function report(): void {
  const rows = modes.flatMap((mode) => names.map((name) => describe(name, mode)));
  console.log(`\n${clients} client(s), ${layerMib} MiB each, ${rounds} interleaved runs`);
  printTable(
    [
      'registry',
      'body',
      'MB/s, median',
      'spread',
      'CPU s per GiB',
      `ours / peer (target ${TARGET_RATIO})`,
    ],
    rows,
  );
}

function describe(name: string, mode: PushMode): string[] {
  const speeds = speedsOf(name, mode);
  const cpu = median((runs.get(`${name} ${mode}`) ?? []).map((run) => run.cpuSecondsPerGib));
  const row = [name, mode, median(speeds).toFixed(0), spread(speeds), cpu.toFixed(2)];
  return [...row, name === 'ours' && names.includes('peer') ? ratio(mode) : ''];
}

function ratio(mode: PushMode): string {
  const value = median(speedsOf('ours', mode)) / median(speedsOf('peer', mode));
  return `${value.toFixed(2)} ${value >= TARGET_RATIO ? 'pass' : 'fail'}`;
}

function speedsOf(name: string, mode: PushMode): number[] {
  return (runs.get(`${name} ${mode}`) ?? []).map((run) => run.megabytesPerSecond);
}
