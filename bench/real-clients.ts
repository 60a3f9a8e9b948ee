import { writeFileSync } from 'node:fs';
import { type ClientReport, printClientReport } from './client-report.ts';
import { CLIENTS, type ClientScene, type ClientSubject, openClientScene } from './client-scene.ts';
import { makeGroup, runGroup, type Series, warmUp } from './client-series.ts';
import { CLIENT_WORKS, type ClientFigure, type ImageKind } from './client-works.ts';
import { readOptions } from './options.ts';
import { canDropPageCache } from './page-cache.ts';
import { peakMemoryMib, resetPeakMemory } from './process-usage.ts';
import { ensurePrograms } from './programs.ts';
import { peerVersion } from './registries.ts';
import { commit, machine } from './report.ts';
import { expectRoom } from './room.ts';

/*
 * What users wait for: docker, podman and skopeo push and pull images, at ours and at the peer in turn. Each registry
 * is given images of its own, of random bytes, so that nothing of a first push is there yet.
 */

const options = readOptions({
  runs: '3',
  images: 'many,large',
  layers: '30',
  'small-mib': '1',
  'layer-mib': '1024',
  clients: CLIENTS.join(','),
  cold: 'yes',
  only: 'both',
  json: '',
});
const runs = options.count('runs');
const only = options.choice('only', ['both', 'ours', 'peer']);
const names = (['ours', 'peer'] as const).filter((name) => only === 'both' || only === name);
const clientNames = options.list('clients', CLIENTS);
const KINDS = {
  many: { id: 'many', layers: options.count('layers'), layerMib: options.count('small-mib') },
  large: { id: 'large', layers: 1, layerMib: options.count('layer-mib') },
} satisfies Record<string, ImageKind>;
const kinds = options.list('images', ['many', 'large']).map((id) => KINDS[id]);
const isColdWanted = options.choice('cold', ['yes', 'no']) === 'yes';

ensurePrograms('bench', 'clients');
expectRoom(wantedMib(), 'take fewer --runs or a smaller --layer-mib');
const isColdPossible = isColdWanted && canDropPageCache();
if (isColdWanted && !isColdPossible) {
  console.log(
    'no pulls from a cold server: that needs root, and a /proc/sys that can be written to',
  );
}
const works = CLIENT_WORKS.filter(({ needsColdServer }) => isColdPossible || !needsColdServer);
const measuredCommit = commit();
console.log(`starting ${[...names, ...clientNames].join(', ')}, and warming them up`);
const scene = await openClientScene(names, clientNames);
let report: ClientReport;
try {
  for (const client of scene.clients) await warmUp(scene, client);
  for (const { registry } of scene.subjects) resetPeakMemory(registry.pid);
  report = await runAll(scene);
} finally {
  await scene.stop();
}
printClientReport(report);
const json = options.text('json');
if (json) writeFileSync(json, `${JSON.stringify(report, undefined, 2)}\n`);

async function runAll(opened: ClientScene): Promise<ClientReport> {
  const { subjects, clients } = opened;
  const groups = kinds.flatMap((kind) => clients.map((client) => makeGroup(client, kind, works)));
  for (let run = 1; run <= runs; run += 1) {
    const order = run % 2 === 1 ? subjects : subjects.toReversed();
    for (const group of groups) {
      await runGroup(opened, group, order, (series, name, figure) =>
        tell(run, series, name, figure),
      );
    }
  }
  return reportOf(opened, groups.flat());
}

function tell(
  run: number,
  { client, kind, work }: Series,
  name: ClientSubject['name'],
  { seconds, cpuSeconds, carriedBytes }: ClientFigure,
): void {
  const what = `${name} ${client.name}, ${imageOf(kind)}, ${work.name}`;
  const cost = `${seconds.toFixed(2)} s, server's CPU ${cpuSeconds.toFixed(2)} s`;
  console.log(`run ${run} of ${runs}: ${what}: ${cost}, ${(carriedBytes / 1e6).toFixed(1)} MB`);
}

function reportOf(
  { subjects, clients, storageDriver }: ClientScene,
  series: readonly Series[],
): ClientReport {
  return {
    date: new Date().toISOString(),
    commit: measuredCommit,
    machine: machine(),
    peer: names.includes('peer') ? peerVersion() : 'none',
    clients: Object.fromEntries(clients.map(({ name, version }) => [name, version])),
    storageDriver,
    runs,
    peakMemoryMib: Object.fromEntries(
      subjects.map(({ name, registry }) => [name, peakMemoryMib(registry.pid)]),
    ),
    works: series.map(({ client, kind, work, figures }) => ({
      client: client.name,
      image: imageOf(kind),
      work: work.name,
      ...figures,
    })),
  };
}

function imageOf({ layers, layerMib }: ImageKind): string {
  return `${layers} × ${layerMib} MiB`;
}

/** What the registries keep of all runs; and at a time the images, a copy on the way, and what a client unpacks. */
function wantedMib(): number {
  const sizes = kinds.map(({ layers, layerMib }) => layers * layerMib);
  const kept = clientNames.length * runs * sizes.reduce((sum, size) => sum + size, 0);
  return names.length * (kept + 3 * Math.max(...sizes));
}
