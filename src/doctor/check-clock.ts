import { type Finding, ok, warning } from './finding.ts';
import { ask } from './http-answer.ts';

/** Tokens and signatures are refused where clocks differ by more than some minutes, or less. */
const MAX_SKEW_MS = 20_000;

/** Compares the clock of this machine with the one of a dependency, if that tells the time. */
export async function* checkClock(check: string, url: URL): AsyncGenerator<Finding> {
  // Nothing but the date is wanted, of whomever: a query may hold a secret.
  const answer = await ask(new URL(url.origin), { trustsAll: true });
  if (answer.kind === 'none' || answer.clockSkewMs === undefined) return;
  const seconds = Math.round(answer.clockSkewMs / 1000);
  if (Math.abs(answer.clockSkewMs) <= MAX_SKEW_MS) {
    yield ok(check, 'its clock and the one of this machine agree');
    return;
  }
  const direction = seconds > 0 ? 'ahead of' : 'behind';
  yield warning(
    check,
    `the clock of this machine is ${Math.abs(seconds)} s ${direction} that of ${url.host}: set it, as by NTP`,
  );
}
