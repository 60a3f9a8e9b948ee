const MINUTE_S = 60;
const HOUR_S = 60 * MINUTE_S;
const DAY_S = 24 * HOUR_S;

/** Seconds since 1970, as JSON output has times. @returns null for what is no time */
export function secondsOf(time: unknown): number | null {
  if (typeof time !== 'string') return null;
  const ms = Date.parse(time);
  return Number.isNaN(ms) ? null : ms / 1000;
}

/** `5d ago`: in the largest unit of which there are two at least, as people count. */
export function showAge(seconds: number, nowMs: number): string {
  const age = Math.max(0, nowMs / 1000 - seconds);
  if (age > 2 * DAY_S) return `${Math.round(age / DAY_S)}d ago`;
  if (age > HOUR_S) return `${Math.round(age / HOUR_S)}h ago`;
  if (age > MINUTE_S) return `${Math.round(age / MINUTE_S)}m ago`;
  return `${Math.round(age)}s ago`;
}
