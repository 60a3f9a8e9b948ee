const MINUTE_S = 60;
const HOUR_S = 60 * MINUTE_S;
const DAY_S = 24 * HOUR_S;

/** Seconds since 1970, as JSON output has times. @returns null for what is no time */
export function secondsOf(time: unknown): number | null {
  if (typeof time !== 'string') return null;
  const ms = Date.parse(time);
  return Number.isNaN(ms) ? null : ms / 1000;
}

/** `5d ago`: days from 49 hours on, so that nothing is one day old. */
export function showAge(seconds: number, nowMs: number): string {
  const age = Math.max(0, nowMs / 1000 - seconds);
  if (age > 49 * HOUR_S) return `${Math.round(age / DAY_S)}d ago`;
  if (age > HOUR_S) return `${Math.round(age / HOUR_S)}h ago`;
  if (age > MINUTE_S + 10) return `${Math.round(age / MINUTE_S)}m ago`;
  return `${Math.round(age)}s ago`;
}

const UNITS_S: Readonly<Record<string, number>> = { s: 1, m: MINUTE_S, h: HOUR_S, d: DAY_S };

/** An age such as `7d`, or a time. */
export function parseMoment(text: string, nowMs: number): Date | undefined {
  const [, count, unit = ''] = /^(\d{1,6})([smhd])$/.exec(text) ?? [];
  if (count !== undefined) return new Date(nowMs - Number(count) * (UNITS_S[unit] ?? 0) * 1000);
  if (!/^\d{4}-\d\d-\d\d/.test(text)) return undefined;
  const ms = Date.parse(text);
  return Number.isNaN(ms) ? undefined : new Date(ms);
}
