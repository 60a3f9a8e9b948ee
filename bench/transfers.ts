import { type Blob, comparer, MIB, makeBlob } from './blob.ts';
import { type PushMode, pull, push, verify } from './client.ts';
import { levelDisk } from './disk.ts';
import type { Figure } from './figure.ts';
import { cpuSeconds } from './process-usage.ts';
import { PULLED, type Subject } from './scene.ts';

const PUSHED = 'bench/push';

/** Pushes new layers at once; one of them is read back and digested afterwards. */
export async function measurePush(
  { registry: { url, pid } }: Subject,
  mode: PushMode,
  clients: number,
  layerMib: number,
): Promise<Figure> {
  const blobs = Array.from({ length: clients }, () => makeBlob(layerMib));
  await levelDisk(clients * layerMib);
  const figure = await measure(pid, blobs, (blob) => push(url, PUSHED, blob, mode));
  const [blob] = blobs;
  if (blob) await verify(url, PUSHED, blob);
  return figure;
}

/** Pulls layers at once, which were verified once, and compares each byte. */
export function measurePull({ registry }: Subject, blobs: readonly Blob[]): Promise<Figure> {
  return measure(registry.pid, blobs, async (blob) => {
    const { digest, sizeBytes } = blob;
    const { seconds, bytes } = await pull(registry.url, PULLED, digest, comparer(blob));
    if (bytes !== sizeBytes) throw new Error(`${bytes} instead of ${sizeBytes} bytes`);
    return seconds;
  });
}

async function measure(
  pid: number,
  blobs: readonly Blob[],
  transfer: (blob: Blob) => Promise<number>,
): Promise<Figure> {
  const cpuBefore = cpuSeconds(pid);
  const start = performance.now();
  const each = await Promise.all(blobs.map(transfer));
  // A single client's own figure leaves out what it checks; of several it is the last one that counts.
  const seconds = each.length === 1 ? Math.max(...each) : (performance.now() - start) / 1000;
  const bytes = blobs.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  const cpu = cpuSeconds(pid) - cpuBefore;
  return { value: bytes / 1e6 / seconds, cpuSeconds: cpu / (bytes / (1024 * MIB)) };
}
