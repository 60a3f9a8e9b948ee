import { setTimeout as delay } from 'node:timers/promises';

const DEFAULT_TIMEOUT_MS = 120_000;
const PAUSE_MS = 50;

/**
 * Asks `probe` again and again until it gives a value that isn't undefined, false or null, and returns that value.
 * @param what completes the sentence "waited in vain for …"
 */
export async function waitUntil<T>(
  what: string,
  probe: () => Promise<T | undefined | null | false> | T | undefined | null | false,
  timeoutMs = DEFAULT_TIMEOUT_MS,
): Promise<T> {
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    const value = await probe();
    if (value !== undefined && value !== null && value !== false) return value;
    if (Date.now() > deadline) throw new Error(`waited in vain for ${what}`);
    await delay(PAUSE_MS);
  }
}

const STILL_ROUNDS = 5;
const STILL_PAUSE_MS = 100;

/** Waits until a number that grows has stood still for a while, and returns it. */
export async function untilStill(what: string, probe: () => number): Promise<number> {
  let last = probe();
  let rounds = 0;
  await waitUntil(`${what} to stand still`, async () => {
    await delay(STILL_PAUSE_MS);
    const next = probe();
    rounds = next === last ? rounds + 1 : 0;
    last = next;
    return rounds === STILL_ROUNDS;
  });
  return last;
}
