/** Who says more is asked once an hour all the same. */
const MAX_MS = 3_600_000;

/** What a Retry-After header says (RFC 9110, 10.2.3): seconds, or a date. Undefined: nothing that helps. */
export function retryAfterMs(header: string | undefined, now: Date): number | undefined {
  if (header === undefined) return undefined;
  const text = header.trim();
  // Dates alone have a comma: Date.parse takes much else for one.
  const ms = /^\d+$/.test(text)
    ? Number(text) * 1000
    : /^[A-Za-z]+,/.test(text)
      ? Date.parse(text) - now.getTime()
      : Number.NaN;
  return ms >= 0 ? Math.min(ms, MAX_MS) : undefined;
}
