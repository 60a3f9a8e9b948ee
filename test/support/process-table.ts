import { readdir, readFile, readlink } from 'node:fs/promises';
import { sep } from 'node:path';
import { waitUntil } from './wait-until.ts';

const END_TIMEOUT_MS = 10_000;

export interface ProcessEntry {
  readonly pid: number;
  readonly commandLine: string;
}

/** The processes that work in a directory or have it in their command line, this one excepted; from /proc. */
export async function processesBelow(directory: string): Promise<ProcessEntry[]> {
  const entries = await Promise.all((await listPids()).map(readProcess));
  return entries.filter(
    (entry) =>
      entry.pid !== process.pid &&
      (entry.commandLine.includes(directory) || isWithin(entry.workingDirectory, directory)),
  );
}

/** SIGTERM, then SIGKILL. Harmless when the process is gone. */
export async function endProcess(pid: number): Promise<void> {
  for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
    if (!send(pid, signal)) return;
    const ended = await waitUntil(
      `the end of process ${pid}`,
      () => !isRunning(pid),
      END_TIMEOUT_MS,
    ).catch(() => false);
    if (ended) return;
  }
  throw new Error(`process ${pid} can't be ended`);
}

export function isRunning(pid: number): boolean {
  return send(pid, 0);
}

function send(pid: number, signal: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(pid, signal);
  } catch {
    return false;
  }
}

async function listPids(): Promise<number[]> {
  return (await readdir('/proc')).filter((name) => /^\d+$/.test(name)).map(Number);
}

/** A process that ends meanwhile, or is another user's, has empty texts. */
async function readProcess(pid: number): Promise<ProcessEntry & { workingDirectory: string }> {
  const commandLine = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
  const workingDirectory = await readlink(`/proc/${pid}/cwd`).catch(() => '');
  return { pid, commandLine: commandLine.split('\0').join(' ').trim(), workingDirectory };
}

function isWithin(path: string, directory: string): boolean {
  return path === directory || path.startsWith(directory + sep);
}
