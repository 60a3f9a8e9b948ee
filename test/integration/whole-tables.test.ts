import { afterAll, beforeAll, expect, test } from 'vitest';
import {
  expectStatus,
  imageOf,
  pushBlob,
  putManifest,
  randomSample,
} from '../support/sample-content.ts';
import { openFixture, type RegistryFixture, sql } from '../support/test-registry.ts';
import { waitUntil } from '../support/wait-until.ts';

/* PostgreSQL keeps plans that were made while the tables were small. */

const REPOSITORY = 'whole/tables';
const IMAGES = 20;
/** A backend tells what it did when it has been idle for ten seconds. */
const STATISTICS_TIMEOUT_MS = 30_000;

let fixture: RegistryFixture;

beforeAll(async () => {
  fixture = await openFixture();
});

afterAll(() => fixture?.close());

test('no push and no pull reads a whole table, or all rows of a repository', {
  timeout: 60_000,
}, async () => {
  const { api } = fixture.registry;
  for (let number = 0; number < IMAGES; number += 1) {
    const [config, layer] = [randomSample(500), randomSample(500)];
    for (const blob of [config, layer]) await pushBlob(api, REPOSITORY, blob);
    await expectStatus(putManifest(api, REPOSITORY, `1.${number}`, imageOf(config, [layer])), 201);
    await expectStatus(api.send('GET', `/v2/${REPOSITORY}/manifests/1.${number}`), 200);
    await expectStatus(api.send('GET', `/v2/${REPOSITORY}/blobs/${layer.digest}`), 200);
    await expectStatus(api.send('GET', `/v2/${REPOSITORY}/tags/list`), 200);
  }
  const tables = () =>
    sql<{ relname: string; added: number; read: number }>(
      fixture.database.url,
      'select relname, n_tup_ins::int as added, seq_tup_read::int as read from pg_stat_user_tables',
    );
  await waitUntil(
    'PostgreSQL to count them',
    async () => {
      const counted = (await tables()).find(({ relname }) => relname === 'tags');
      return counted?.added === IMAGES;
    },
    STATISTICS_TIMEOUT_MS,
  );
  const readWhole = (await tables()).filter(({ relname, read }) => {
    // One row, and read when the registry starts.
    return read > 0 && !['registry', 'schema_migrations'].includes(relname);
  });
  expect(readWhole).toEqual([]);
  // A key that is asked for as a whole has one row at most; lists and the claims of scans read more.
  const indexes = await sql<{ indexrelname: string; lookups: number; read: number }>(
    fixture.database.url,
    'select indexrelname, idx_scan::int as lookups, idx_tup_read::int as read from pg_stat_user_indexes',
  );
  const readMore = indexes.filter(
    ({ indexrelname, lookups, read }) =>
      read > lookups && !['tags_pkey', 'scm_scans_due'].includes(indexrelname),
  );
  expect(readMore).toEqual([]);
});
