import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { startChild } from './child.ts';
import { STEPS } from './least-steps.ts';
import { readOptions } from './options.ts';
import { cpuSeconds } from './process-usage.ts';
import { type Registry, startOurs, startPeer } from './registries.ts';
import { askWithWrk } from './requests.ts';
import { median, printTable, spread } from './statistics.ts';

/*
 * What bounds GET /v2/: uWebSockets.js that says OK, and what each thing takes that a registry does besides, up to the same answer,
 * metrics and log by the least code, beside Pier One and the peer, all in turn.
 */

/** A server, and what was measured of it. */
interface Subject extends Pick<Registry, 'url' | 'pid' | 'stop'> {
  readonly name: string;
  readonly perSecond: number[];
  /** CPU of a request. */
  readonly us: number[];
}

const SERVER = fileURLToPath(new URL('./least-server.ts', import.meta.url));
const PING = { path: '/v2/' };
const Listening = z.object({ port: z.number() });

const options = readOptions({ runs: '7', seconds: '2' });
const subjects: Subject[] = [];
try {
  for (const step of STEPS) subjects.push(subjectOf(`+ ${step}`, await startStep(step)));
  subjects.push(subjectOf('Pier One', await startOurs()));
  subjects.push(subjectOf('distribution', await startPeer()));
  for (const { url } of subjects) await askWithWrk(url, PING, options.count('seconds'));
  for (let run = 0; run < options.count('runs'); run += 1) {
    for (const subject of subjects) await measure(subject);
    console.log(`run ${run + 1} of ${options.count('runs')}`);
  }
  print();
} finally {
  await Promise.all(subjects.map(({ stop }) => stop()));
}

async function startStep(step: string): Promise<Pick<Registry, 'url' | 'pid' | 'stop'>> {
  const words = ['--max-semi-space-size=4', '--import', import.meta.resolve('tsx'), SERVER, step];
  const child = startChild(process.execPath, words, { PATH: process.env['PATH'] ?? '' });
  const { port } = Listening.parse(JSON.parse(await child.line(/"port"/)));
  return { url: `http://127.0.0.1:${port}`, pid: child.pid, stop: () => child.stop() };
}

function subjectOf(name: string, { url, pid, stop }: Pick<Registry, 'url' | 'pid' | 'stop'>) {
  return { name, url, pid, stop, perSecond: [], us: [] };
}

async function measure({ url, pid, perSecond, us }: Subject): Promise<void> {
  const before = cpuSeconds(pid);
  const asked = await askWithWrk(url, PING, options.count('seconds'));
  perSecond.push(asked.perSecond);
  us.push(((cpuSeconds(pid) - before) / asked.requests) * 1e6);
}

function print(): void {
  const peer = median(subjects.at(-1)?.perSecond ?? []);
  printTable(
    ['GET /v2/', 'a second', '', 'us of CPU', 'x distribution'],
    subjects.map(({ name, perSecond, us }) => [
      name,
      median(perSecond).toFixed(0),
      spread(perSecond),
      median(us).toFixed(1),
      (median(perSecond) / peer).toFixed(1),
    ]),
  );
}
