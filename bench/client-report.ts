import type { ClientFigure } from './client-works.ts';
import type { Machine } from './report.ts';
import { median, printTable, spread } from './statistics.ts';

export interface MeasuredClientWork {
  readonly client: string;
  readonly image: string;
  readonly work: string;
  readonly ours: readonly ClientFigure[];
  readonly peer: readonly ClientFigure[];
}

/** All that a run found, as it is written to the JSON file. */
export interface ClientReport {
  readonly date: string;
  readonly commit: string;
  readonly machine: Machine;
  readonly peer: string;
  /** Their versions. */
  readonly clients: Readonly<Record<string, string>>;
  /** Of docker and podman. */
  readonly storageDriver: string;
  readonly runs: number;
  /** MiB, of the server's process, all threads. */
  readonly peakMemoryMib: Readonly<Record<string, number>>;
  readonly works: readonly MeasuredClientWork[];
}

type Quantity = 'seconds' | 'cpuSeconds';

const DIGITS = 2;
const WORK_COLUMNS = ['client', 'image', 'work'];
const SECONDS_COLUMNS = ['ours', '', 'peer', '', 'ours / peer'];
const CPU_COLUMNS = ["ours' CPU", '', "peer's CPU", '', 'ours / peer'];

export function printClientReport(report: ClientReport): void {
  const { runs, works, clients, storageDriver, peakMemoryMib } = report;
  console.log(`\nseconds, medians of ${runs} interleaved runs (least to most)`);
  printTable(
    [...WORK_COLUMNS, ...SECONDS_COLUMNS, ...CPU_COLUMNS],
    works.map((measured) => [
      measured.client,
      measured.image,
      measured.work,
      ...cells(measured, 'seconds'),
      ...cells(measured, 'cpuSeconds'),
    ]),
  );
  for (const version of Object.values(clients)) console.log(version);
  console.log(`docker and podman keep images by ${storageDriver}`);
  for (const [name, mib] of Object.entries(peakMemoryMib)) {
    console.log(`peak memory over all of this: ${name} ${mib.toFixed(0)} MiB`);
  }
}

function cells({ ours, peer }: MeasuredClientWork, quantity: Quantity): string[] {
  const values = { ours: valuesOf(ours, quantity), peer: valuesOf(peer, quantity) };
  return [...pair(values.ours), ...pair(values.peer), ratio(values.ours, values.peer)];
}

function valuesOf(figures: readonly ClientFigure[], quantity: Quantity): number[] {
  return figures.map((figure) => figure[quantity]);
}

function pair(values: readonly number[]): [string, string] {
  if (values.length === 0) return ['', ''];
  return [median(values).toFixed(DIGITS), spread(values, DIGITS)];
}

/** None of what is less than the clock of /proc can tell. */
function ratio(ours: readonly number[], peer: readonly number[]): string {
  if (ours.length === 0 || peer.length === 0 || median(peer) === 0) return '';
  return (median(ours) / median(peer)).toFixed(DIGITS);
}
