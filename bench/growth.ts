import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { HttpClient } from '../test/support/http-client.ts';
import { randomSample } from '../test/support/sample-content.ts';
import { makeBlob } from './blob.ts';
import { push } from './client.ts';
import { type Curve, drawCurves, type Study } from './curves.ts';
import { levelDisk } from './disk.ts';
import { MANY_CONTENT, openLarge } from './large-registry.ts';
import { readOptions } from './options.ts';
import { cpuSeconds } from './process-usage.ts';
import { type Registry, startOurs } from './registries.ts';
import { costOf, costsOfMany } from './request-costs.ts';
import { pushSmallBlob } from './small-blob.ts';
import { median, printTable } from './statistics.ts';

/*
 * What a byte and a request cost when there are more clients, larger layers, more tags and blobs. A cost that grows
 * with them would show as a line that rises.
 */

const options = readOptions({
  studies: 'clients,small,layers,content',
  clients: '1,8,64,512',
  'small-kib': '1,8,64,256,1024',
  'layer-mib': '1,8,64,512,8192',
  content: '1000,10000,100000,1000000',
  runs: '3',
  picture: '',
});
/** As many as the clock of /proc can tell. */
const SMALL_LAYERS = 400;
const runs = options.count('runs');
const numbers = (name: 'clients' | 'small-kib' | 'layer-mib' | 'content') =>
  options.text(name).split(',').map(Number);

const STUDIES: Readonly<Record<string, () => Promise<Study>>> = {
  clients: studyClients,
  small: studySmallLayers,
  layers: studyLayers,
  content: studyContent,
};

const studies: Study[] = [];
for (const name of options.text('studies').split(',')) {
  const study = STUDIES[name];
  if (!study) throw new Error(`--studies takes some of ${Object.keys(STUDIES).join(',')}`);
  console.log(`studying ${name}`);
  studies.push(await study());
}
for (const study of studies) print(study);
const picture = options.text('picture');
if (picture) writeFileSync(picture, drawCurves(studies));

/** The same requests by more clients at once: the server's CPU for each. */
function studyClients(): Promise<Study> {
  const shown = { title: "server's CPU, ms per request", x: 'clients at once' };
  return studyRegistry(shown, numbers('clients'), (registry, clients) =>
    costsOfMany(registry, clients, runs),
  );
}

/** What requests to one registry cost for each x. */
async function studyRegistry(
  shown: Pick<Study, 'title' | 'x'>,
  xs: readonly number[],
  costsAt: (registry: Registry, x: number) => Promise<Readonly<Record<string, number>>>,
  warmUp: (registry: Registry) => Promise<unknown> = () => Promise.resolve(),
): Promise<Study> {
  const registry = await startOurs();
  try {
    await warmUp(registry);
    const curves = new Map<string, Curve>();
    for (const x of xs) addPoints(curves, x, await costsAt(registry, x));
    return { ...shown, curves: [...curves.values()] };
  } finally {
    await registry.stop();
  }
}

/** Layers whose requests cost more than their bytes: the server's CPU for each layer. */
function studySmallLayers(): Promise<Study> {
  return studyRegistry(
    { title: "server's CPU, ms per layer", x: 'KiB of the layer' },
    numbers('small-kib'),
    async (registry, kib) => {
      const costs: number[] = [];
      for (let run = 0; run < runs; run += 1) costs.push(await costOfSmallLayer(registry, kib));
      return { 'push of a layer': median(costs) };
    },
    (registry) => costOfSmallLayer(registry, 1),
  );
}

async function costOfSmallLayer({ url, pid }: Registry, kib: number): Promise<number> {
  const api = new HttpClient(url);
  const before = cpuSeconds(pid);
  for (let layer = 0; layer < SMALL_LAYERS; layer += 1) {
    await pushSmallBlob(api, 'bench/small-layers', randomSample(kib * 1024));
  }
  const ms = ((cpuSeconds(pid) - before) * 1000) / SMALL_LAYERS;
  console.log(`layers of ${kib} KiB: ${ms.toFixed(2)} ms each`);
  return ms;
}

/** Layers of more bytes: the server's CPU for each GiB. */
function studyLayers(): Promise<Study> {
  return studyRegistry(
    { title: "server's CPU, s per GiB", x: 'MiB of the layer' },
    numbers('layer-mib'),
    async (registry, mib) => ({ 'push, chunked': await costOfLayer(registry, mib) }),
    ({ url }) => push(url, 'bench/warm-up', makeBlob(64), 'chunked'),
  );
}

async function costOfLayer({ url, pid }: Registry, mib: number): Promise<number> {
  // As many bytes of small layers as the clock of /proc can tell.
  const layers = Math.max(1, Math.ceil(256 / mib));
  const costs: number[] = [];
  for (let run = 0; run < runs; run += 1) {
    const blobs = Array.from({ length: layers }, () => makeBlob(mib));
    await levelDisk(layers * mib);
    const before = cpuSeconds(pid);
    for (const blob of blobs)
      await push(url, `bench/layers-${randomBytes(4).toString('hex')}`, blob, 'chunked');
    costs.push((cpuSeconds(pid) - before) / ((layers * mib) / 1024));
    console.log(`layers of ${mib} MiB: ${costs.at(-1)?.toFixed(2)} s per GiB`);
  }
  return median(costs);
}

/** The same requests with more tags in the repository, and as many repositories and blobs: how long each takes. */
async function studyContent(): Promise<Study> {
  const curves = new Map<string, Curve>();
  for (const count of numbers('content')) {
    console.log(`making ${count} tags, manifests and blobs`);
    const large = await openLarge(count);
    try {
      const costs: Record<string, number> = {};
      for (const [name, request] of Object.entries(MANY_CONTENT)) {
        costs[name] = await costOf(large.url, request, count);
      }
      addPoints(curves, count, costs);
    } finally {
      await large.stop();
    }
  }
  return {
    title: 'ms, one request at a time, nothing cached',
    x: 'tags and blobs',
    curves: [...curves.values()],
  };
}

function addPoints(
  curves: Map<string, Curve>,
  x: number,
  values: Readonly<Record<string, number>>,
): void {
  for (const [name, y] of Object.entries(values)) {
    const { points } = curves.get(name) ?? { points: [] };
    curves.set(name, { name, points: [...points, { x, y }] });
  }
}

function print({ title, x, curves }: Study): void {
  console.log(`\n${title}`);
  const xs = curves[0]?.points.map((point) => point.x) ?? [];
  printTable(
    [x, ...xs.map((value) => value.toLocaleString('en-US'))],
    curves.map(({ name, points }) => [name, ...points.map(({ y }) => y.toPrecision(3))]),
  );
}
