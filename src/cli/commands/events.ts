import { type Client, memberOf } from '../client.ts';
import type { CommandContext } from '../context.ts';
import { UsageError } from '../errors.ts';
import type { Input } from '../input.ts';
import type { Column, Row } from '../output.ts';
import { parseMoment, secondsOf } from '../times.ts';

const TEXT_COLUMNS: readonly Column[] = [
  { name: 'happened_time', title: 'When' },
  { name: 'kind' },
  { name: 'team' },
  { name: 'artifact' },
  { name: 'tag' },
  { name: 'uid', title: 'By' },
  { name: 'reason' },
];

const ALL_COLUMNS: readonly Column[] = [
  'id',
  'kind',
  'team',
  'artifact',
  'tag',
  'digest',
  'previous_digest',
  'reason',
  'uid',
  'realm',
  'happened_time',
  'last_happened_time',
  'repetitions',
].map((name) => ({ name }));

const LIMIT = 20;
const MAX_PAGE = 1000;

/** The newest ones, in the order in which they happened. */
export async function run({ input, client, output }: CommandContext): Promise<void> {
  const filter = filterOf(input);
  const limit = input.count('limit', 0) ?? LIMIT;
  const registry = await client();
  const columns = output.format === 'text' ? TEXT_COLUMNS : ALL_COLUMNS;
  const rows = limit === 0 ? allEvents(registry, filter) : newestEvents(registry, filter, limit);
  await output.table(columns, rows);
}

type Filter = Readonly<Record<string, string | undefined>>;

function filterOf(input: Input): Filter {
  const [team, artifact, tag] = input.operandsFrom(0);
  return {
    team,
    artifact,
    tag,
    kind: input.text('kind'),
    uid: input.text('by'),
    since: momentOf(input, 'since'),
    until: momentOf(input, 'until'),
  };
}

function momentOf(input: Input, name: string): string | undefined {
  const text = input.text(name);
  if (text === undefined) return undefined;
  const moment = parseMoment(text, Date.now());
  if (moment) return moment.toISOString();
  throw new UsageError(
    `--${name} must be an age such as 30m, 12h or 7d, or a time such as 2026-01-31 or 2026-01-31T12:00:00Z, not ${text}.`,
  );
}

async function* allEvents(client: Client, filter: Filter): AsyncGenerator<readonly Row[]> {
  for await (const page of client.pages('/events', filter)) {
    // The last page of a list that grows leads on, to an empty one.
    if (page.length === 0) return;
    yield page.map(toRow);
  }
}

async function* newestEvents(
  client: Client,
  filter: Filter,
  limit: number,
): AsyncGenerator<readonly Row[]> {
  const events: unknown[] = [];
  const query = { ...filter, order: 'desc', limit: Math.min(limit, MAX_PAGE) };
  for await (const page of client.pages('/events', query)) {
    events.push(...page);
    if (events.length >= limit) break;
  }
  yield events.slice(0, limit).toReversed().map(toRow);
}

function toRow(event: unknown): Row {
  return {
    ...Object(event),
    happened_time: secondsOf(memberOf(event, 'happened')),
    last_happened_time: secondsOf(memberOf(event, 'last_happened')),
  };
}
