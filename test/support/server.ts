import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { settingsOfWay } from './way.ts';

const MAIN = fileURLToPath(new URL('../../dist/main.js', import.meta.url));
const START_TIMEOUT_MS = 120_000;
const LAST_LINES_MS = 2000;

/** One line of the server's log. */
export type LogLine = Readonly<Record<string, unknown>>;

/** The built server as a process of its own, on free ports of 127.0.0.1. */
export interface ServerProcess {
  /** http://127.0.0.1:PORT, or https */
  readonly url: string;
  /** host:port, as image references want it. */
  readonly host: string;
  readonly managementUrl: string;
  readonly pid: number;
  /** Every log line so far. */
  readonly log: readonly LogLine[];
  readonly stderr: readonly string[];
  /** SIGTERM, then waits. @returns the exit code. */
  stop(): Promise<number | null>;
  /** SIGKILL, then waits. */
  kill(): Promise<void>;
  /** The value of a counter or gauge without labels, from /metrics. */
  metric(name: string): Promise<number>;
}

/**
 * Starts `dist/main.js` (run `npm run build` first). Stop it in a hook: a process that is left fails no test.
 * @param nodeArguments name another program
 */
export async function startServer(
  environment: Readonly<Record<string, string>>,
  nodeArguments: readonly string[] = [MAIN],
): Promise<ServerProcess> {
  if (!existsSync(MAIN)) throw new Error(`${MAIN} is missing: run npm run build`);
  const child = spawn(process.execPath, nodeArguments, {
    env: {
      PATH: process.env['PATH'] ?? '',
      HOME: process.env['HOME'] ?? '',
      HTTP_PORT: '0',
      MGMT_HTTP_PORT: '0',
      START_TIMEOUT: '0',
      ...settingsOfWay(),
      ...environment,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const log: LogLine[] = [];
  const stderr: string[] = [];
  createInterface({ input: child.stderr }).on('line', (line) => stderr.push(line));
  const listening = await firstListening(child, log, stderr);
  const url = String(listening['url']);
  const managementUrl = String(listening['managementUrl']);
  return {
    url,
    host: new URL(url).host,
    managementUrl,
    pid: child.pid ?? 0,
    log,
    stderr,
    stop: () => end(child, 'SIGTERM'),
    kill: async () => void (await end(child, 'SIGKILL')),
    metric: (name) => readMetric(managementUrl, name),
  };
}

function firstListening(
  child: ChildProcess,
  log: LogLine[],
  stderr: readonly string[],
): Promise<LogLine> {
  return new Promise((resolve, reject) => {
    const fail = (why: string) =>
      reject(
        new Error(
          `the server ${why}\n${log.map((l) => JSON.stringify(l)).join('\n')}\n${stderr.join('\n')}`,
        ),
      );
    const timer = setTimeout(() => {
      child.kill('SIGKILL');
      fail('did not listen in time');
    }, START_TIMEOUT_MS);
    const closed = once(child, 'close');
    child.once('exit', (code) => {
      clearTimeout(timer);
      void lastLines(closed).then(() => fail(`ended with code ${code}`));
    });
    if (!child.stdout) throw new Error('no standard output');
    createInterface({ input: child.stdout }).on('line', (line) => {
      const entry = parseLine(line);
      log.push(entry);
      if (entry['msg'] !== 'listening') return;
      clearTimeout(timer);
      resolve(entry);
    });
  });
}

function parseLine(line: string): LogLine {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === 'object' && value !== null ? { ...value } : { text: line };
  } catch {
    return { text: line };
  }
}

async function end(child: ChildProcess, signal: NodeJS.Signals): Promise<number | null> {
  if (child.exitCode !== null || child.signalCode !== null) return child.exitCode;
  const exited = once(child, 'exit');
  const closed = once(child, 'close');
  child.kill(signal);
  await exited;
  await lastLines(closed);
  return child.exitCode;
}

/** For the last lines of a process that has just ended. What it has left behind may keep its output open for longer. */
async function lastLines(closed: Promise<unknown>): Promise<void> {
  await Promise.race([closed, delay(LAST_LINES_MS)]);
}

async function readMetric(managementUrl: string, name: string): Promise<number> {
  const text = await (await fetch(`${managementUrl}/metrics`)).text();
  const line = text.split('\n').find((candidate) => candidate.startsWith(`${name} `));
  if (!line) throw new Error(`no metric ${name}`);
  return Number(line.slice(name.length + 1));
}
