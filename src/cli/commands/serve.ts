import { spawn } from 'node:child_process';
import { once } from 'node:events';
import type { CommandContext } from '../context.ts';
import { CliError } from '../errors.ts';
import { SERVER } from '../server-program.ts';

/** What `npm start` gives Node.js: a small young generation, and threads for disk work. */
const NODE_OPTIONS = ['--max-semi-space-size=4'];
const THREADS = '16';
const SIGNALS: readonly NodeJS.Signals[] = ['SIGTERM', 'SIGINT', 'SIGHUP'];

export async function run({ environment }: CommandContext): Promise<void> {
  const child = spawn(process.execPath, [...NODE_OPTIONS, SERVER], {
    env: { UV_THREADPOOL_SIZE: THREADS, ...environment },
    // The channel tells the server when this process is gone, by whatever it was killed.
    stdio: ['inherit', 'inherit', 'inherit', 'ipc'],
    // A process group of its own: a terminal's Ctrl-C comes here alone, and is passed on once.
    detached: true,
  });
  const passOn = (signal: NodeJS.Signals) =>
    void child.kill(signal === 'SIGHUP' ? 'SIGTERM' : signal);
  for (const signal of SIGNALS) process.on(signal, passOn);
  const [code, signal] = await ended(child);
  for (const name of SIGNALS) process.off(name, passOn);
  if (signal !== null) process.kill(process.pid, signal);
  else process.exitCode = code ?? 1;
}

async function ended(child: ReturnType<typeof spawn>) {
  try {
    await once(child, 'exit');
  } catch (cause) {
    throw new CliError('The server could not be started: is Node.js still there?', undefined, {
      cause,
    });
  }
  return [child.exitCode, child.signalCode] as const;
}
