import type { MetadataStore } from '../metadata-store.ts';
import { type EventRouting, NO_SINKS } from '../records/outbox-records.ts';
import { PgBlobRecords } from './blob-records.ts';
import { PgCatalogRecords } from './catalog-records.ts';
import { Database, type DatabaseMetrics } from './database.ts';
import { PgDeletionRecords } from './deletion-records.ts';
import { PgEventRecords } from './event-records.ts';
import { Lists } from './lists.ts';
import { AdvisoryLocks } from './locks.ts';
import { PgManifestRecords } from './manifest-records.ts';
import { PgOutboxRecords } from './outbox-records.ts';
import { PgRefusalRecords } from './refusal-records.ts';
import { PgScmSourceRecords } from './scm-source-records.ts';
import { PgStatisticsRecords } from './statistics-records.ts';
import { PgTokenKeyRecords } from './token-key-records.ts';
import { PgUploadRecords } from './upload-records.ts';

const HAS_OBJECTS = {
  name: 'registry-has-objects',
  text: `select where exists (select from blob_segments) or exists (select from upload_segments)`,
};

/** A server that hangs confirms no end of a connection. */
const CLOSE_TIMEOUT_MS = 5_000;

export interface PgMetadataOptions {
  readonly url: string;
  readonly maxConnections: number;
  /** Which names make a new tag mutable. */
  readonly isMutableTag: (tag: string) => boolean;
  /** Which sinks are told of what; without it, none. */
  readonly routing?: EventRouting | undefined;
  /** Told of connections that were lost. */
  readonly onConnectionLost: (error: Error) => void;
  readonly metrics?: DatabaseMetrics | undefined;
}

/** The metadata in PostgreSQL. The schema must be there: see migrate(). */
export function openPgMetadataStore(options: PgMetadataOptions): MetadataStore {
  const database = new Database({ ...options, onIdleError: options.onConnectionLost });
  const { isMutableTag, routing = NO_SINKS } = options;
  const lists = new Lists(database, options.url, options.onConnectionLost);
  const locks = new AdvisoryLocks(options.url, options.onConnectionLost, options.metrics);
  return {
    uploads: new PgUploadRecords(database),
    blobs: new PgBlobRecords(database),
    manifests: new PgManifestRecords(database, isMutableTag, routing),
    catalog: new PgCatalogRecords(database, lists),
    statistics: new PgStatisticsRecords(database, lists),
    events: new PgEventRecords(database, lists),
    deletions: new PgDeletionRecords(database),
    refusals: new PgRefusalRecords(database, routing),
    tokenKeys: new PgTokenKeyRecords(database),
    scmSources: new PgScmSourceRecords(database),
    outbox: new PgOutboxRecords(database),
    locks,
    untilReachable: () => database.untilReachable(),
    async isEmpty() {
      const rows = await database.query(HAS_OBJECTS, []);
      return rows.length === 0;
    },
    async registryId() {
      const rows = await database.query<{ id: string }>(
        { name: 'registry-id', text: 'select id from registry' },
        [],
      );
      if (!rows[0]) throw new Error('the table registry has no row');
      return rows[0].id;
    },
    close: () =>
      within(CLOSE_TIMEOUT_MS, Promise.all([locks.close(), lists.close(), database.close()])),
  };
}

async function within(timeoutMs: number, work: Promise<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const isTimeOver = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, timeoutMs);
  });
  await Promise.race([work, isTimeOver]).finally(() => clearTimeout(timer));
}
