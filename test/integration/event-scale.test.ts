import { afterAll, beforeAll, expect, test } from 'vitest';
import { BETWEEN_TIMES, eventStatement } from '../../src/meta/pg/event-statements.ts';
import { migrate } from '../../src/meta/pg/migrate.ts';
import type { TagEventFilter } from '../../src/meta/records/event-records.ts';
import { rowsRead } from '../support/explain.ts';
import { generateEvents } from '../support/generated-catalog.ts';
import { startPostgres, type TestPostgres } from '../support/postgres.ts';

const EVENTS = 200_000;
/** A page, and one row that tells whether there is another. */
const LIMIT = 101;
/** Ids and times may be in another order for so many. */
const CONCURRENT = 200;

let postgres: TestPostgres;

beforeAll(async () => {
  postgres = await startPostgres();
  await migrate(postgres.url);
  await generateEvents(postgres.url, EVENTS);
});

afterAll(() => postgres?.stop());

async function eventsRead(filter: TagEventFilter, isNewestFirst: boolean): Promise<number> {
  const { statement, values } = eventStatement(filter, isNewestFirst);
  const texts = values.map((value) =>
    value instanceof Date ? value.toISOString() : String(value),
  );
  const range = isNewestFirst ? ['0', '150000'] : ['100000', String(EVENTS)];
  const parameters = [...range, null, null, ...texts, LIMIT];
  return (await rowsRead(postgres.url, statement, parameters))['tag_events'] ?? 0;
}

const FILTERS: readonly [string, TagEventFilter][] = [
  ['no filter', {}],
  ['a team', { team: 'team-007' }],
  ['a repository', { repository: 'team-007/artifact-100007' }],
  ['a tag', { repository: 'team-007/artifact-100007', tag: '1.0' }],
  ['a kind', { kind: 'created' }],
  ['a kind that never was', { kind: 'refused' }],
  ['somebody', { uid: 'user-7' }],
];

test.each(FILTERS)(
  'of 200,000 events a page reads a page and one row, with %s',
  async (_, filter) => {
    expect(await eventsRead(filter, false)).toBeLessThanOrEqual(LIMIT);
    expect(await eventsRead(filter, true)).toBeLessThanOrEqual(LIMIT);
  },
);

test('where a time begins and ends is found by reading as many as transactions could have mixed up', async () => {
  const year = '2021-01-01T00:00:00Z';
  const rows = await rowsRead(postgres.url, BETWEEN_TIMES, [year, year]);
  expect(rows).toEqual({ tag_events: 2 * CONCURRENT });
});
