import { statfsSync } from 'node:fs';
import { tmpdir } from 'node:os';

/** @throws when TMPDIR's disk has less room. */
export function expectRoom(wantedMib: number, advice: string): void {
  const { bavail, bsize } = statfsSync(tmpdir());
  const freeMib = (bavail * bsize) / 1024 ** 2;
  if (freeMib >= wantedMib) return;
  const [free, wanted] = [freeMib, wantedMib].map((mib) => (mib / 1024).toFixed(1));
  throw new Error(
    `${tmpdir()} has ${free} GiB free, and this takes ${wanted} GiB: set TMPDIR to another disk, or ${advice}`,
  );
}
