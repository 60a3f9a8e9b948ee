import { readFile } from 'node:fs/promises';
import { startInBackground } from './process-runner.ts';
import { waitUntil } from './wait-until.ts';
import type { Workspace } from './workspace.ts';

/** What makes files, writes data, makes it durable, and answers. */
const TRACED = 'openat,creat,write,writev,pwrite64,pwritev,pwritev2,fdatasync,fsync,sendto,sendmsg';

/** A system call. Its numbers are positions in the trace, which is in the order of time. */
export interface SystemCall {
  readonly name: string;
  readonly args: string;
  /** Of the file behind its descriptor, or the one it opens; empty for sockets. */
  readonly path: string;
  readonly begin: number;
  /** Infinity: it was still under way when the trace ended. */
  readonly end: number;
}

/** Follows all threads of a running process. */
export interface Strace {
  /** Detaches. @returns the system calls, in the order of their begin. */
  stop(): Promise<SystemCall[]>;
}

export async function attachStrace(workspace: Workspace, pid: number): Promise<Strace> {
  const output = workspace.path(`strace-of-${pid}`);
  // -y: paths of descriptors; -s: so much of the data.
  const options = ['-f', '-y', '-s', '64', '-e', `trace=${TRACED}`, '-o', output];
  const tracer = startInBackground('strace', [...options, '-p', String(pid)]);
  workspace.defer(() => tracer.end());
  await waitUntil('strace', () => {
    if (!tracer.isRunning()) throw new Error(`strace ended:\n${tracer.screen()}`);
    return /attached/.test(tracer.screen());
  });
  return {
    async stop() {
      await tracer.end();
      return parseTrace(await readFile(output, 'utf8'));
    },
  };
}

/**
 * Reads strace's output. A call during which another thread's was traced is on two lines:
 * `12 write(3</a>, "…" <unfinished ...>` and `12 <... write resumed>) = 5`.
 */
export function parseTrace(text: string): SystemCall[] {
  const calls: SystemCall[] = [];
  const unfinished = new Map<string, { name: string; args: string; begin: number }>();
  for (const [position, line] of text.split('\n').entries()) {
    const [, thread = '', rest = ''] = /^(\d+)\s+(.*)$/.exec(line) ?? [];
    const resumed = /^<\.\.\. \w+ resumed>(.*)$/.exec(rest);
    const started = /^(\w+)\((.*)$/.exec(rest);
    if (resumed) {
      const call = unfinished.get(thread);
      unfinished.delete(thread);
      if (call) calls.push(completed(call.name, call.args + resumed[1], call.begin, position));
    } else if (started) {
      const [, name = '', args = ''] = started;
      if (args.endsWith('<unfinished ...>'))
        unfinished.set(thread, { name, args, begin: position });
      else calls.push(completed(name, args, position, position));
    }
  }
  // A thread answers before strace sees its call end: the client may have asked to stop by then.
  for (const { name, args, begin } of unfinished.values()) {
    calls.push(completed(name, args, begin, Infinity));
  }
  return calls.toSorted((one, other) => one.begin - other.begin);
}

function completed(name: string, args: string, begin: number, end: number): SystemCall {
  const path = name === 'openat' ? openedPath(args) : (/^\d+<(\/[^>]*)>/.exec(args)?.[1] ?? '');
  return { name, args, path, begin, end };
}

/** `AT_FDCWD</cwd>, "/a", O_RDONLY) = 3</a>` */
function openedPath(args: string): string {
  return /= \d+<(\/[^>]*)>$/.exec(args)?.[1] ?? '';
}
