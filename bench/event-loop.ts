import { fileURLToPath } from 'node:url';
import { MIB, makeBlob } from './blob.ts';
import { push } from './client.ts';
import { levelDisk } from './disk.ts';
import { type EventLoopDelay, readEventLoopDelay } from './event-loop-delay.ts';
import { readOptions } from './options.ts';
import { startPing } from './ping.ts';
import { profileDigestMs } from './profile.ts';
import { type NodeOptions, type Start, startOurs } from './registries.ts';
import { median, percentile, printTable, spread } from './statistics.ts';

interface Run {
  readonly delay: EventLoopDelay;
  /** 99 % of the GET /v2/ were answered within so many ms. */
  readonly pingP99: number;
  readonly megabytesPerSecond: number;
}

/** Our server, made to digest on the thread that serves HTTP. */
const INLINE_OPTIONS: NodeOptions = {
  entry: fileURLToPath(new URL('./inline-server.ts', import.meta.url)),
  nodeArguments: ['--import', import.meta.resolve('tsx')],
};
const WARM_UP_MIB = 64;
const options = readOptions({ 'layer-mib': '1024', clients: '4', runs: '5', 'profile-mib': '512' });
const clients = options.count('clients');
const layerMib = options.count('layer-mib');

const variants = new Map<string, Start>([
  ['ours', () => startOurs()],
  ['digest on the HTTP thread', () => startOurs(INLINE_OPTIONS)],
]);

const runs = new Map<string, Run[]>([...variants.keys()].map((name) => [name, []]));
const blobs = Array.from({ length: clients }, () => makeBlob(layerMib));
for (let round = 1; round <= options.count('runs'); round++) {
  // The one that begins alternates.
  const order = round % 2 === 1 ? [...variants] : [...variants].toReversed();
  for (const [name, start] of order) runs.get(name)?.push(await measure(start));
  console.log(`run ${round} is done`);
}
report();
if (!(await checkProfiles())) process.exitCode = 1;

/** Nothing is digested on our HTTP thread. That the profile would show it is proved with the variant that does so. */
async function checkProfiles(): Promise<boolean> {
  const profileMib = options.count('profile-mib');
  const ours = await profileDigestMs(clients, profileMib);
  console.log(`ours: ${ours.toFixed(0)} ms of digest work: ${ours === 0 ? 'pass' : 'fail'}`);
  const inline = await profileDigestMs(clients, profileMib, INLINE_OPTIONS);
  console.log(`the variant: ${inline.toFixed(0)} ms: ${inline > 0 ? 'pass' : 'fail'}`);
  return ours === 0 && inline > 0;
}

async function measure(start: Start): Promise<Run> {
  const { url, managementUrl = '', stop } = await start();
  try {
    await push(url, 'bench/warm-up', makeBlob(WARM_UP_MIB), 'chunked');
    await levelDisk(clients * layerMib);
    const ping = await startPing(url);
    await readEventLoopDelay(managementUrl);
    const begin = performance.now();
    await Promise.all(blobs.map((blob) => push(url, 'bench/event-loop', blob, 'chunked')));
    const seconds = (performance.now() - begin) / 1000;
    const delay = await readEventLoopDelay(managementUrl);
    const pingP99 = percentile(await ping.stop(), 0.99);
    return { delay, pingP99, megabytesPerSecond: (clients * layerMib * MIB) / 1e6 / seconds };
  } finally {
    await stop();
  }
}

function report(): void {
  const head = [
    'variant',
    'loop delay p99, ms',
    'spread',
    'its max, ms',
    'GET /v2/ p99, ms',
    'spread',
    'MB/s',
  ];
  console.log(
    `\n${clients} pushes of ${layerMib} MiB at once; medians of ${options.count('runs')} interleaved runs`,
  );
  printTable(
    head,
    [...runs].map(([name, values]) => describe(name, values)),
  );
}

function describe(name: string, values: readonly Run[]): string[] {
  const delays = values.map((run) => run.delay.p99);
  const pings = values.map((run) => run.pingP99);
  return [
    name,
    median(delays).toFixed(1),
    spread(delays, 1),
    median(values.map((run) => run.delay.max)).toFixed(0),
    median(pings).toFixed(1),
    spread(pings, 1),
    median(values.map((run) => run.megabytesPerSecond)).toFixed(0),
  ];
}
