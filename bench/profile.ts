import { basename } from 'node:path';
import { makeBlob } from './blob.ts';
import { push } from './client.ts';
import { type Frame, isDigest, readMainThread } from './cpu-profile.ts';
import { makeDirectory, removeDirectory } from './directories.ts';
import { type NodeOptions, startOurs } from './registries.ts';
import { printTable } from './statistics.ts';

const SHOWN_FRAMES = 10;

/**
 * Pushes several layers at once into a server that profiles itself, and prints where its HTTP thread (the main thread)
 * spent its time. The profiled server is slower: its speed is not a result.
 * @returns ms that the HTTP thread spent on digests.
 */
export async function profileDigestMs(
  clients: number,
  layerMib: number,
  options: NodeOptions = {},
): Promise<number> {
  const directory = makeDirectory();
  try {
    await pushProfiled(directory, clients, layerMib, options);
    const frames = readMainThread(directory);
    printFrames(frames.filter(({ name }) => name !== '(idle)').slice(0, SHOWN_FRAMES));
    return frames.filter(isDigest).reduce((sum, { selfMs }) => sum + selfMs, 0);
  } finally {
    removeDirectory(directory);
  }
}

async function pushProfiled(
  directory: string,
  clients: number,
  layerMib: number,
  options: NodeOptions,
): Promise<void> {
  const blobs = Array.from({ length: clients }, () => makeBlob(layerMib));
  const nodeArguments = [
    ...(options.nodeArguments ?? []),
    '--cpu-prof',
    `--cpu-prof-dir=${directory}`,
  ];
  const { url, stop } = await startOurs({ ...options, nodeArguments });
  try {
    await Promise.all(blobs.map((blob) => push(url, 'bench/profile', blob, 'chunked')));
  } finally {
    await stop();
  }
}

function printFrames(frames: readonly Frame[]): void {
  const rows = frames.map(({ name, url, selfMs }) => [
    selfMs.toFixed(0),
    name || '(anonymous)',
    basename(url),
  ]);
  printTable(['self ms', 'HTTP thread: function', 'file'], rows);
}
