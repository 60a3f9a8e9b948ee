import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import * as statements from '../../src/meta/pg/catalog-statements.ts';
import { LIST_REPOSITORIES, LIST_TAGS } from '../../src/meta/pg/manifest-records.ts';
import { migrate } from '../../src/meta/pg/migrate.ts';
import { rowsRead } from '../support/explain.ts';
import { generateCatalog, MANY_TAGS } from '../support/generated-catalog.ts';
import { startPostgres, type TestPostgres } from '../support/postgres.ts';

const PAGE = 100;
/** A page, and one row that tells whether there is another. */
const LIMIT = PAGE + 1;

let postgres: TestPostgres;

beforeAll(async () => {
  postgres = await startPostgres();
  await migrate(postgres.url);
  await generateCatalog(postgres.url, { repositories: 20_000, tags: 100_000 });
});

afterAll(() => postgres?.stop());

async function read(
  statement: { name: string; text: string },
  ...values: (string | number | boolean | null)[]
) {
  return rowsRead(postgres.url, statement, values);
}

describe('with 20,000 repositories and 100,000 tags in one, a page reads a page and one row', () => {
  test.each(['2020-01-01', '2020-01-01T12:00:00Z', '-infinity'])(
    'of tags, behind %s',
    async (at) => {
      const page = { tags: LIMIT, manifests: LIMIT, repositories: 1 };
      expect(await read(statements.LISTED_TAGS, MANY_TAGS, at, LIMIT)).toEqual(page);
      expect(await read(statements.ALL_TAGS, MANY_TAGS, at, LIMIT)).toEqual(page);
    },
  );

  test.each(['2020-01-01T12:00:00Z', 'infinity'])(
    'of tags, the newest first, behind %s',
    async (at) => {
      const page = { tags: LIMIT, manifests: LIMIT, repositories: 1 };
      expect(await read(statements.NEWEST_LISTED_TAGS, MANY_TAGS, at, LIMIT)).toEqual(page);
      expect(await read(statements.NEWEST_TAGS, MANY_TAGS, at, LIMIT)).toEqual(page);
    },
  );

  test.each(['', 'artifact-15'])('of artifacts, behind "%s"', async (after) => {
    const rows = await read(statements.ARTIFACTS, 'team-007', after, 51);
    expect(rows).toEqual({ repositories: 51 });
  });

  test.each([
    ['', 51],
    ['team-100', 51],
  ])('of teams, behind "%s"', async (after, limit) => {
    const { repositories = 0, ...others } = await read(statements.TEAMS, after, limit);
    expect(others).toEqual({});
    expect(repositories).toBeLessThanOrEqual(limit + 1);
  });

  test.each(['artifact', 'artifact-15000'])(
    'of what a search finds, behind "%s"',
    async (after) => {
      const values = ['artifact', 'artifact\u{10ffff}', after, '', LIMIT];
      const { repository_words: words = 0, ...others } = await read(statements.SEARCH, ...values);
      expect(others).toEqual({});
      // Each is looked at once more, for an earlier word of the same name.
      expect(words).toBeLessThanOrEqual(2 * LIMIT);
    },
  );
});

describe('with 120,000 manifests, an image is found', () => {
  const IMAGE = 'sha256:0a3f';

  test('by a prefix that many have, at the first one that has a tag', async () => {
    const rows = await read(statements.ANOTHER_IMAGE, 'sha256:', 'sha256:g', true, '{}');
    expect(rows).toEqual({ manifests: 1, tags: 1, manifest_children: 0 });
  });

  test('by a prefix that few have, reading those', async () => {
    const rows = await read(statements.TAGS_OF_IMAGES, IMAGE, `${IMAGE}g`, false, '', '', null);
    expect(Object.values(rows).every((count) => count <= 50)).toBe(true);
  });

  test.each(['', 'tag-5'])('of /v2 tags/list, behind "%s"', async (last) => {
    expect(await read(LIST_TAGS, MANY_TAGS, last, LIMIT)).toEqual({ tags: LIMIT, repositories: 1 });
  });

  test.each(['', 'team-100'])('of /v2/_catalog, behind "%s"', async (last) => {
    const { repositories = 0 } = await read(LIST_REPOSITORIES, last, LIMIT);
    expect(repositories).toBeLessThanOrEqual(LIMIT + 1);
  });
});
