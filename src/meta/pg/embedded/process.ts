import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { run } from './account.ts';
import { EmbeddedPostgresError } from './error.ts';
import { unless } from './files.ts';

const POLL_MS = 25;
const FAST_STOP_MS = 20_000;
/** The postmaster itself kills what hasn't ended 5 s after SIGQUIT. */
const IMMEDIATE_STOP_MS = 20_000;

/** What postmaster.pid says, and whether it is true. */
export interface Postmaster {
  readonly pid: number;
  /** Empty until there is a socket. */
  readonly socketDirectory: string;
  readonly port: number;
  /** `gone`: the process ended, or its id is another program's now. `unknown`: a PostgreSQL, of what can't be seen. */
  readonly state: 'running' | 'gone' | 'unknown';
}

/** The lines of the file are those of src/include/utils/pidfile.h. */
export async function readPostmaster(cluster: string): Promise<Postmaster | undefined> {
  const text = await unless(['ENOENT'], '', readFile(join(cluster, 'postmaster.pid'), 'utf8'));
  const [pid = '', , , port, socketDirectory = ''] = text.split('\n');
  if (!/^[1-9]\d*$/.test(pid)) return undefined;
  const state = await stateOf(Number(pid), cluster);
  return { pid: Number(pid), socketDirectory, port: Number(port), state };
}

async function stateOf(pid: number, cluster: string): Promise<Postmaster['state']> {
  const command = await commandOf(pid);
  if (!/\bpostgres\b/.test(command)) return 'gone';
  if (command.includes(` -D ${cluster} `)) return 'running';
  try {
    const [actual, expected] = await Promise.all([stat(`/proc/${pid}/cwd`), stat(cluster)]);
    return actual.dev === expected.dev && actual.ino === expected.ino ? 'running' : 'gone';
  } catch {
    return 'unknown';
  }
}

/** Words separated and ended by spaces; empty for a process that ended, also for one whose end nobody has read yet. */
async function commandOf(pid: number): Promise<string> {
  if (process.platform === 'linux') {
    const words = unless(['ENOENT', 'ESRCH'], '', readFile(`/proc/${pid}/cmdline`, 'utf8'));
    return (await words).replaceAll('\0', ' ');
  }
  const { output } = await run('/bin/ps', ['-ww', '-o', 'command=', '-p', String(pid)], undefined);
  return `${output.trim()} `;
}

/** Fast shutdown, and an immediate one if that takes too long. Returns when the process is gone. */
export async function stopPostmaster(pid: number, cluster: string): Promise<void> {
  if (await signalAndWait(pid, cluster, 'SIGINT', FAST_STOP_MS)) return;
  if (await signalAndWait(pid, cluster, 'SIGQUIT', IMMEDIATE_STOP_MS)) return;
  throw new EmbeddedPostgresError(
    `The embedded PostgreSQL in ${cluster} (process ${pid}) does not end: see whether its disk answers.`,
  );
}

async function signalAndWait(
  pid: number,
  cluster: string,
  signal: NodeJS.Signals,
  timeoutMs: number,
): Promise<boolean> {
  const deadline = Date.now() + timeoutMs;
  if ((await stateOf(pid, cluster)) !== 'running') return true;
  try {
    process.kill(pid, signal);
  } catch {
    // It ended just now; the loop sees whether it did.
  }
  while (Date.now() < deadline) {
    if ((await stateOf(pid, cluster)) !== 'running') return true;
    await delay(POLL_MS);
  }
  return false;
}
