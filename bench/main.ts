import { writeFileSync } from 'node:fs';
import { measureCeilings } from './ceilings.ts';
import type { Figure } from './figure.ts';
import { readOptions } from './options.ts';
import { drawPicture } from './picture.ts';
import { peakMemoryMib, resetPeakMemory } from './process-usage.ts';
import { ensurePrograms } from './programs.ts';
import { peerVersion } from './registries.ts';
import { commit, isMet, machine, printReport, type Report } from './report.ts';
import { openScene, type Scene, type Subject } from './scene.ts';
import { targetOf, WORKS, type Work } from './works.ts';

/*
 * Ours and the peer side by side: each work in turn, the one that begins alternates. Writes what it found as JSON and
 * as a picture. Exit code 1 when a target isn't met.
 */

const options = readOptions({
  place: 'disk',
  runs: '5',
  'layer-mib': '512',
  'several-mib': '100',
  seconds: '3',
  works: WORKS.map(({ id }) => id).join(','),
  only: 'both',
  json: '',
  picture: '',
});
const place = options.choice('place', ['disk', 's3', 's3-far']);
const runs = options.count('runs');
const only = options.choice('only', ['both', 'ours', 'peer']);
const sizes = { layerMib: options.count('layer-mib'), severalMib: options.count('several-mib') };
const workOptions = { ...sizes, seconds: options.count('seconds') };
const works = options.text('works').split(',').map(findWork);
const names = (['ours', 'peer'] as const).filter((name) => only === 'both' || only === name);
const figures = new Map<Work, { ours: Figure[]; peer: Figure[] }>(
  works.map((work) => [work, { ours: [], peer: [] }]),
);

ensurePrograms('bench', ...(place === 'disk' ? [] : (['s3'] as const)));
// Of what is built, whatever is edited meanwhile.
const measuredCommit = commit();
const ceilings = await measureCeilings();
console.log(`starting ${names.join(' and ')}, and putting content into it`);
const scene = await openScene(place, names, sizes);
let report: Report;
try {
  for (const { registry } of scene.subjects) resetPeakMemory(registry.pid);
  for (let run = 1; run <= runs; run += 1) {
    for (const work of works) await runWork(scene, work, run);
  }
  report = reportOf(scene);
} finally {
  await scene.stop();
}
printReport(report);
const [json, picture] = [options.text('json'), options.text('picture')];
if (json) writeFileSync(json, `${JSON.stringify(report, undefined, 2)}\n`);
if (picture) writeFileSync(picture, drawPicture(report));
if (report.works.some((measured) => isMet(measured) === false)) process.exitCode = 1;

function findWork(id: string): Work {
  const work = WORKS.find((candidate) => candidate.id === id);
  if (work) return work;
  throw new Error(
    `--works takes some of ${WORKS.map((each) => each.id).join(',')}; "${id}" is none`,
  );
}

async function runWork({ subjects }: Scene, work: Work, run: number): Promise<void> {
  const order = run % 2 === 1 ? subjects : subjects.toReversed();
  for (const subject of order) {
    const figure = await work.run(subject, workOptions);
    figures.get(work)?.[subject.name].push(figure);
    const value = figure.value.toFixed(work.unit === 'CPU s' ? 3 : 0);
    console.log(`run ${run} of ${runs}: ${subject.name} ${work.name}: ${value} ${work.unit}`);
  }
}

function reportOf({ subjects }: Scene): Report {
  const memory = ({ name, registry }: Subject) => [name, peakMemoryMib(registry.pid)];
  return {
    date: new Date().toISOString(),
    commit: measuredCommit,
    machine: machine(),
    peer: names.includes('peer') ? peerVersion() : 'none',
    place,
    runs,
    ceilings,
    peakMemoryMib: Object.fromEntries(subjects.map(memory)),
    works: works.map((work) => ({
      work: work.name,
      unit: work.unit,
      target: targetOf(work, place),
      ...(figures.get(work) ?? { ours: [], peer: [] }),
    })),
  };
}
