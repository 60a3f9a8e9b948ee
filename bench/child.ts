import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { makeDirectory, removeDirectory } from './directories.ts';
import { stopWhenInterrupted } from './interrupt.ts';

/** A process that was started here, until it is stopped. */
export interface Child {
  readonly pid: number;
  /** Waits for the first line of its output that matches. @throws with its last lines if it ends instead. */
  line(pattern: RegExp): Promise<string>;
  /** SIGTERM, once: a second one would cut its end short; after 40 s SIGKILL. @returns once it is gone. */
  stop(): Promise<void>;
}

const STOP_LIMIT_MS = 40_000;
const POLL_MS = 20;
const SHOWN_LINES = 20;
const living = new Set<Child>();

/**
 * Starts a program, whose output goes to a file: reading a server's log would take the cores that are measured.
 * Ctrl-C or SIGTERM for the benchmark stop it too.
 */
export function startChild(
  command: string,
  commandArguments: readonly string[],
  environment: Readonly<Record<string, string>>,
): Child {
  const directory = makeDirectory();
  const output = join(directory, 'output');
  const file = openSync(output, 'w');
  const process = spawn(command, commandArguments, {
    env: environment,
    stdio: ['ignore', file, file],
    // A process group of its own: Ctrl-C reaches it once, through the benchmark.
    detached: true,
  });
  closeSync(file);
  const child = describe(process, directory, output);
  living.add(child);
  process.once('exit', () => living.delete(child));
  stopWhenInterrupted(() => child.stop());
  return child;
}

/** Stops what still runs after an error that nobody caught, then lets `clean` remove its traces. */
export function stopAtEnd(clean: () => void): void {
  process.once('exit', () => {
    for (const { pid } of living) process.kill(pid, 'SIGTERM');
    clean();
  });
}

function describe(process: ChildProcess, directory: string, output: string): Child {
  const failed = new Promise<never>((_, reject) => process.once('error', reject));
  failed.catch(() => undefined);
  let stopped: Promise<void> | undefined;
  return {
    pid: process.pid ?? 0,
    line: (pattern) => Promise.race([failed, findLine(process, output, pattern)]),
    stop: () => (stopped ??= terminate(process).then(() => removeDirectory(directory))),
  };
}

async function findLine(process: ChildProcess, output: string, pattern: RegExp): Promise<string> {
  for (;;) {
    const hasEnded = hasExited(process);
    const lines = readFileSync(output, 'utf8').split('\n');
    const found = lines.slice(0, -1).find((line) => pattern.test(line));
    if (found !== undefined) return found;
    if (hasEnded) {
      const last = lines.slice(-SHOWN_LINES).join('\n');
      throw new Error(`a process ended with code ${process.exitCode}\n${last}`);
    }
    await delay(POLL_MS);
  }
}

async function terminate(process: ChildProcess): Promise<void> {
  if (!process.pid || hasExited(process)) return;
  const exited = once(process, 'exit');
  process.kill('SIGTERM');
  const timer = setTimeout(() => process.kill('SIGKILL'), STOP_LIMIT_MS);
  await exited;
  clearTimeout(timer);
}

function hasExited({ exitCode, signalCode }: ChildProcess): boolean {
  return exitCode !== null || signalCode !== null;
}
