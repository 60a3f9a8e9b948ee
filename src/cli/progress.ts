import type { OutputStream } from './environment.ts';

/** What is done sooner needs no bar. */
const DELAY_MS = 700;
const MIB = 1024 * 1024;

export interface Progress {
  add(bytes: number): void;
  /** Takes the bar away. Call it before anything else is written to the terminal. */
  end(): void;
}

const NO_PROGRESS: Progress = { add() {}, end() {} };

/** A bar on standard error, where that is a terminal and it takes long. */
export async function startProgress(
  stream: OutputStream,
  label: string,
  totalBytes: number,
): Promise<Progress> {
  if (!stream.isTTY || totalBytes <= 0) return NO_PROGRESS;
  const { SingleBar } = await import('cli-progress');
  const bar = new SingleBar({
    stream,
    format: `${label} {bar} {percentage}% of ${(totalBytes / MIB).toFixed(1)} MiB, {eta_formatted} left`,
    barCompleteChar: '#',
    barIncompleteChar: '-',
    barsize: 20,
    clearOnComplete: true,
    // Ctrl-C ends the command at once: whatever the bar had changed of the terminal would stay so.
    hideCursor: false,
    linewrap: true,
    gracefulExit: false,
  });
  const begin = Date.now();
  let bytes = 0;
  return {
    add(count) {
      bytes += count;
      if (bar.isActive) bar.update(bytes);
      else if (Date.now() - begin > DELAY_MS) bar.start(totalBytes, bytes);
    },
    end: () => bar.stop(),
  };
}
