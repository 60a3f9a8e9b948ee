import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';

/** A function, and the CPU time spent in itself. */
export interface Frame {
  readonly name: string;
  readonly url: string;
  readonly selfMs: number;
}

/** What `--cpu-prof` writes, as far as it is read here. Deltas are in microseconds. */
const PROFILE = z.object({
  nodes: z.array(
    z.object({
      id: z.number(),
      callFrame: z.object({ functionName: z.string(), url: z.string() }),
    }),
  ),
  samples: z.array(z.number()),
  timeDeltas: z.array(z.number()),
});

/** CPU.DATE.TIME.PID.THREAD.NUMBER.cpuprofile; the main thread is 0. */
const MAIN_THREAD_FILE = /^CPU\.\d+\.\d+\.\d+\.0\.\d+\.cpuprofile$/;

/** Reads the profile of the main thread that Node.js wrote at its exit. @returns its functions, slowest first. */
export function readMainThread(directory: string): Frame[] {
  const file = readdirSync(directory).find((name) => MAIN_THREAD_FILE.test(name));
  if (!file) throw new Error('the server left no profile of its main thread: was it killed?');
  return readFrames(join(directory, file));
}

/**
 * Does the function digest: node:crypto's Hash (by its JavaScript or native name), OpenSSL's functions, hash-wasm, or any
 * WebAssembly?
 */
export function isDigest({ name, url }: Pick<Frame, 'name' | 'url'>): boolean {
  if (url.startsWith('wasm:')) return true;
  if (/^SHA\d+_/.test(name)) return true;
  return (
    /^(update|digest)/.test(name) && /^$|internal\/crypto\/hash|hash-wasm|-sha\.[jt]s$/.test(url)
  );
}

function readFrames(path: string): Frame[] {
  const { nodes, samples, timeDeltas } = PROFILE.parse(JSON.parse(readFileSync(path, 'utf8')));
  const selfMs = new Map<number, number>();
  samples.forEach((id, i) => selfMs.set(id, (selfMs.get(id) ?? 0) + (timeDeltas[i] ?? 0) / 1000));
  const frames = new Map<string, Frame>();
  for (const { id, callFrame } of nodes) {
    const { functionName: name, url } = callFrame;
    const key = `${name} ${url}`;
    const before = frames.get(key)?.selfMs ?? 0;
    frames.set(key, { name, url, selfMs: before + (selfMs.get(id) ?? 0) });
  }
  return [...frames.values()].toSorted((a, b) => b.selfMs - a.selfMs);
}
