import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { stopWhenInterrupted } from './interrupt.ts';

/** A process that was started here, until it is stopped. */
export interface Child {
  readonly pid: number;
  /** Waits for the next line of its standard output that matches. @throws with its last lines if it ends instead. */
  line(pattern: RegExp): Promise<string>;
  /** SIGTERM, once: a second one would cut its end short; after 40 s SIGKILL. @returns once it is gone. */
  stop(): Promise<void>;
}

const STOP_LIMIT_MS = 40_000;
const KEPT_LINES = 20;
const living = new Set<Child>();

/** Starts a program. Ctrl-C or SIGTERM for the benchmark stop it too. */
export function startChild(
  command: string,
  commandArguments: readonly string[],
  environment: Readonly<Record<string, string>>,
): Child {
  const process = spawn(command, commandArguments, {
    env: environment,
    stdio: ['ignore', 'pipe', 'pipe'],
    // A process group of its own: Ctrl-C reaches it once, through the benchmark.
    detached: true,
  });
  const child = describe(process);
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

function describe(process: ChildProcess): Child {
  if (!process.stdout || !process.stderr) throw new Error('no standard output');
  const lines: string[] = [];
  let stopped: Promise<void> | undefined;
  const keep = (line: string) => {
    lines.push(line);
    if (lines.length > KEPT_LINES) lines.shift();
  };
  const output = createInterface({ input: process.stdout }).on('line', keep);
  createInterface({ input: process.stderr }).on('line', keep);
  return {
    pid: process.pid ?? 0,
    line: (pattern) =>
      new Promise((resolve, reject) => {
        output.on('line', (line) => pattern.test(line) && resolve(line));
        process.once('error', reject);
        // Not at "exit": its last lines may come after that.
        process.once('close', (code) =>
          reject(new Error(`a process ended with code ${code}\n${lines.join('\n')}`)),
        );
      }),
    stop: () => (stopped ??= terminate(process)),
  };
}

async function terminate(process: ChildProcess): Promise<void> {
  if (!process.pid || process.exitCode !== null || process.signalCode !== null) return;
  const exited = once(process, 'exit');
  process.kill('SIGTERM');
  const timer = setTimeout(() => process.kill('SIGKILL'), STOP_LIMIT_MS);
  await exited;
  clearTimeout(timer);
}
