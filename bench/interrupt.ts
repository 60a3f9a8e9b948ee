type Stop = () => Promise<unknown>;

/** In the order in which it was started. */
const stops: Stop[] = [];
let isEnding = false;

for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => void end());

/** Has Ctrl-C or SIGTERM for the benchmark stop something; harmless when it was stopped before. */
export function stopWhenInterrupted(stop: Stop): void {
  stops.push(stop);
}

/** The newest first. */
async function end(): Promise<void> {
  // Once: npm and tsx pass on what the terminal has already sent to all of them.
  if (isEnding) return;
  isEnding = true;
  // What was being measured fails now, which is no news and must not end this process before the rest is stopped.
  process.on('uncaughtException', () => undefined);
  for (let stop = stops.pop(); stop; stop = stops.pop()) {
    await stop().catch((error: unknown) => console.error(String(error)));
  }
  process.exit(1);
}
