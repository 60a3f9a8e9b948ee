import { execFileSync } from 'node:child_process';
import { cpus, release, totalmem } from 'node:os';
import type { Ceilings } from './ceilings.ts';
import { isSpeed, type Measured, type Unit } from './figure.ts';
import type { Place } from './scene.ts';
import { median, printTable, spread } from './statistics.ts';

export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryGib: number;
  readonly kernel: string;
  readonly node: string;
}

/** All that a run found, as it is written to the JSON file. */
export interface Report {
  readonly date: string;
  readonly commit: string;
  readonly machine: Machine;
  readonly peer: string;
  readonly place: Place;
  readonly runs: number;
  readonly ceilings: Ceilings;
  /** MiB, of the server's process, all threads. */
  readonly peakMemoryMib: Readonly<Record<string, number>>;
  readonly works: readonly Measured[];
}

export function machine(): Machine {
  const [first] = cpus();
  return {
    cpu: first?.model ?? 'unknown',
    cores: cpus().length,
    memoryGib: Math.round(totalmem() / 1024 ** 3),
    kernel: release(),
    node: process.version,
  };
}

/** "unknown" where git isn't installed, in an unpacked archive, and in a checkout of somebody else's. */
export function commit(): string {
  const git = (...words: readonly string[]) =>
    execFileSync('git', words, { stdio: ['ignore', 'pipe', 'ignore'] })
      .toString()
      .trim();
  try {
    const isChanged = git('status', '--porcelain', '--untracked-files=no') !== '';
    return git('rev-parse', '--short', 'HEAD') + (isChanged ? ' with changes' : '');
  } catch {
    return 'unknown';
  }
}

/** Ours as a multiple of the peer's, of the medians. */
export function ratioOf({ ours, peer }: Measured): number | undefined {
  if (ours.length === 0 || peer.length === 0) return undefined;
  return median(ours.map(({ value }) => value)) / median(peer.map(({ value }) => value));
}

export function isMet(measured: Measured): boolean | undefined {
  const ratio = ratioOf(measured);
  const { target, unit } = measured;
  if (ratio === undefined || target === undefined) return undefined;
  return isSpeed(unit) ? ratio >= target : ratio <= target;
}

export function printReport({ works, ceilings, peakMemoryMib, runs }: Report): void {
  console.log(`\nmedians of ${runs} interleaved runs (least to most)`);
  printTable(
    ['work', 'unit', 'ours', '', 'peer', '', 'CPU s ours', 'CPU s peer', 'ours / peer', 'target'],
    works.map(describe),
  );
  const { disk, sha256, loopback, requests } = ceilings;
  const limits = { 'disk with fdatasync': disk, 'SHA-256, one core': sha256, loopback };
  for (const [name, speed] of Object.entries(limits)) {
    console.log(`limit: ${name} ${speed.toFixed(0)} MB/s`);
  }
  console.log(`limit: uWebSockets.js alone ${requests.toFixed(0)} requests/s`);
  for (const [name, mib] of Object.entries(peakMemoryMib)) {
    console.log(`peak memory over all of this: ${name} ${mib.toFixed(0)} MiB`);
  }
}

function describe(measured: Measured): string[] {
  const { work, unit, ours, peer, target } = measured;
  const ratio = ratioOf(measured)?.toFixed(unit === 'CPU s' ? 3 : 2) ?? '';
  const met = isMet(measured);
  const verdict =
    met === undefined ? '' : `${isSpeed(unit) ? '≥' : '≤'} ${target} ${met ? 'met' : 'NOT met'}`;
  return [
    work,
    unit,
    ...cells(ours, unit),
    ...cells(peer, unit),
    cpu(ours),
    cpu(peer),
    ratio,
    verdict,
  ];
}

function cells(figures: Measured['ours'], unit: Unit): string[] {
  if (figures.length === 0) return ['', ''];
  const values = figures.map(({ value }) => value);
  const digits = unit === 'CPU s' ? 3 : 0;
  return [median(values).toFixed(digits), spread(values, digits)];
}

/** Per GiB, or per thousand requests. */
function cpu(figures: Measured['ours']): string {
  return figures.length === 0 ? '' : median(figures.map(({ cpuSeconds }) => cpuSeconds)).toFixed(3);
}
