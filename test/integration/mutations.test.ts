import { describe, expect, test } from 'vitest';
import { memoryMib } from '../../bench/process-usage.ts';
import { expectCreated, expectScene, prepareScene } from '../support/mutations/scene.ts';
import { type Outcome, runSeries } from '../support/mutations/series.ts';
import { isRunning } from '../support/process-table.ts';
import type { ServerProcess } from '../support/server.ts';
import { useServers } from '../support/server-fixture.ts';
import { waitUntil } from '../support/wait-until.ts';

const COUNT = Number(process.env['MUTATIONS'] ?? 100_000);
/** What a failure prints, to repeat it. */
const SEED = Number(process.env['MUTATIONS_SEED'] ?? 1);
/** Most mutations of a request. */
const DEPTH = Number(process.env['MUTATIONS_DEPTH'] ?? 3);
const TIMEOUT_MS = 30 * 60_000;

/**
 * Between the samples that are compared lie half of the requests: with 100,000 of them, a leak of 1 KiB a request
 * makes 49 MiB. Without one, the garbage collector's heap and malloc's arenas move by up to 20 MiB.
 */
const GROWTH_LIMIT_MIB = 40;
const SAMPLES = 60;
/** Connections to the database and of the metrics' readers come after the first count. */
const MORE_FILES = 20;

/** node:http takes half of them: as long as its heap grows to what it stays at, some 17,000, is its warm-up, too. */
const SERVERS = [
  { transport: 'uWebSockets.js', environment: { HTTP_TRANSPORT: 'uws' }, count: COUNT },
  { transport: 'node:http', environment: { HTTP_TRANSPORT: 'node' }, count: Math.ceil(COUNT / 2) },
];

const fixture = useServers();

describe.each(SERVERS)('over $transport', ({ environment, count }) => {
  test(
    `${count} mutated requests: no error of the server, no crash, no growth`,
    async () => {
      const { server, api } = await fixture.start(environment);
      const scene = await prepareScene(api);
      const port = Number(new URL(server.url).port);
      const before = { lines: server.stderr.length, files: await openFiles(server) };
      const memory = new MemorySamples(server.pid, count);
      const began = Date.now();
      const series = { port, scene, seed: SEED, count, depth: DEPTH };
      const outcome = await runSeries(series, (requests) => memory.sample(requests));
      report(outcome, (Date.now() - began) / 1000, memory);
      expect({
        failures: outcome.failures,
        isRunning: isRunning(server.pid),
        log: severeLines(server),
        stderr: server.stderr.slice(before.lines),
      }).toEqual({ failures: [], isRunning: true, log: [], stderr: [] });
      await expectScene(api, scene);
      await expectCreated(api, outcome.created);
      await expectNothingLeft(server, before.files);
      expect(memory.growthMib).toBeLessThan(GROWTH_LIMIT_MIB);
    },
    TIMEOUT_MS,
  );
});

function severeLines({ log }: ServerProcess) {
  return log.filter(({ level }) => level === 'error' || level === 'fatal' || level === undefined);
}

/** What clients broke off in the middle has ended: appends, connections, files. */
async function expectNothingLeft(server: ServerProcess, filesBefore: number): Promise<void> {
  await waitUntil(
    'the end of the appends',
    async () => (await server.metric('pierone_active_appends')) === 0,
  );
  await waitUntil(
    'the end of the connections',
    async () => (await openFiles(server)) <= filesBefore + MORE_FILES,
  );
  expect(await server.metric('pierone_worker_deaths_total')).toBe(0);
}

/** Prometheus' clients know it on Linux alone; elsewhere there is nothing to compare. */
async function openFiles(server: ServerProcess): Promise<number> {
  return process.platform === 'linux' ? server.metric('process_open_fds') : 0;
}

/** The memory of a process over a series; on Linux alone. */
class MemorySamples {
  readonly #pid: number;
  readonly #every: number;
  readonly mib: number[] = [];

  constructor(pid: number, count: number) {
    this.#pid = pid;
    this.#every = count / SAMPLES;
  }

  sample(requests: number): void {
    if (process.platform !== 'linux' || requests < this.mib.length * this.#every) return;
    try {
      this.mib.push(memoryMib(this.#pid));
    } catch {
      // A process that has crashed has none; what the series found tells more.
    }
  }

  /** From the sixth that follows the warm-up, a third of the series, to the last sixth; the least of each counts. */
  get growthMib(): number {
    return this.mib.length === 0 ? 0 : this.#least(5 / 6, 1) - this.#least(1 / 3, 1 / 2);
  }

  #least(from: number, to: number): number {
    const { length } = this.mib;
    return Math.min(...this.mib.slice(Math.floor(from * length), Math.ceil(to * length)));
  }
}

function report(
  { requests, answers, created }: Outcome,
  seconds: number,
  { mib, growthMib }: MemorySamples,
) {
  const byStatus = [...answers].map(([status, times]) => `${status}: ${times}`).toSorted();
  const memory = mib.filter((_, index) => index % 6 === 0).map(Math.round);
  process.stdout.write(
    [
      `${requests} mutated requests in ${Math.round(seconds)} s`,
      byStatus.join(', '),
      `${created.size} blobs and manifests made`,
      `memory in MiB: ${memory.join(' ')}; after the warm-up it grew by ${Math.round(growthMib)}\n`,
    ].join('; '),
  );
}
