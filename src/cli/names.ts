import { UsageError } from './errors.ts';
import type { Input } from './input.ts';

/** The first argument. @throws UsageError where a whole repository stands for the team */
export function teamOf(input: Input): string {
  const team = input.operand(0);
  const slash = team.indexOf('/');
  if (slash < 0) return team;
  throw new UsageError(
    `${team} is no team: write the team and the artifact apart, as in ${team.slice(0, slash)} ${team.slice(slash + 1)}.`,
  );
}
