/** @returns whether `work` has ended before `signal` was aborted */
export async function untilAborted(
  work: Promise<void>,
  signal: AbortSignal | undefined,
): Promise<boolean> {
  if (!signal) return work.then(() => true);
  let onAbort = () => {};
  const aborted = new Promise<false>((resolve) => {
    onAbort = () => resolve(false);
    if (signal.aborted) onAbort();
  });
  signal.addEventListener('abort', onAbort);
  try {
    return await Promise.race([work.then(() => true), aborted]);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}
