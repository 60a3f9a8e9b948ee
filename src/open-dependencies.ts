import type { Config } from './config.ts';
import type { Log } from './log.ts';
import { type MetadataStore, MetadataUnavailable } from './meta/metadata-store.ts';
import {
  EmbeddedPostgresError,
  startEmbeddedPostgres,
} from './meta/pg/embedded/embedded-postgres.ts';
import { migrate } from './meta/pg/migrate.ts';
import { openPgMetadataStore } from './meta/pg/pg-metadata-store.ts';
import type { EventRouting } from './meta/records/outbox-records.ts';
import type { Metrics } from './metrics.ts';
import { matchesAny } from './oci/tag-rule.ts';
import { type Closers, StartError, StartWait } from './start-up.ts';
import { type BlobStore, StoreUnavailable } from './storage/blob-store.ts';
import { openStore, type StoreLocation, storeMismatch } from './storage/open-store.ts';

export interface OpeningParts {
  readonly log: Log;
  readonly metrics: Metrics;
  readonly routing: EventRouting;
  readonly closers: Closers;
  readonly signal: AbortSignal | undefined;
  /** Told of `database` and `store`: what is wrong with it, as long as it isn't there; undefined when it is. */
  readonly onState: (name: 'database' | 'store', reason: string | undefined) => void;
}

/** What the registry keeps everything in. */
export interface OpenedDependencies {
  readonly metadata: MetadataStore;
  readonly store: BlobStore;
  readonly location: StoreLocation;
  readonly registryId: string;
  /** A line for people. */
  readonly database: string;
}

/**
 * Opens the database and the store, and waits for them up to START_TIMEOUT.
 * @throws StartError, StartAborted, MetadataUnavailable, StoreUnavailable
 */
export async function openDependencies(
  config: Config,
  parts: OpeningParts,
): Promise<OpenedDependencies> {
  const { log, signal, onState } = parts;
  const wait = new StartWait({
    timeoutMs: config.startTimeoutMs,
    log,
    signal,
    mayPass,
    onLack: (name, reason) => onState(name === 'store' ? 'store' : 'database', reason),
  });
  const database = await openDatabase(config, parts);
  const metadata = await openMetadata(config, database.url, wait, parts);
  onState('database', undefined);
  const location: StoreLocation = config.storage;
  const store = await openStore(location);
  const registryId = await wait.for('store', async () => {
    await store.check();
    return claimStore(metadata, store, location);
  });
  onState('store', undefined);
  return { metadata, store, location, registryId, database: database.description };
}

function mayPass(error: unknown): boolean {
  const isDependency = error instanceof MetadataUnavailable || error instanceof StoreUnavailable;
  return isDependency && error.mayPass;
}

async function openDatabase(config: Config, { log, closers }: OpeningParts) {
  const { url, embeddedDirectory } = config.database;
  if (url !== undefined) {
    const { host, pathname } = new URL(url);
    return { url, description: `Metadata is kept in PostgreSQL at ${host}${pathname}.` };
  }
  const embedded = await startEmbeddedPostgres(embeddedDirectory, log).catch((error: unknown) => {
    throw error instanceof EmbeddedPostgresError
      ? new StartError(error.message, { cause: error })
      : error;
  });
  closers.add(() => embedded.stop());
  const { version, directory } = embedded;
  return {
    url: embedded.url,
    description: `Metadata is kept in an embedded PostgreSQL ${version} in ${directory}.`,
  };
}

async function openMetadata(
  config: Config,
  url: string,
  wait: StartWait,
  { log, metrics, routing, closers }: OpeningParts,
) {
  const applied = await wait.for('database', () => migrate(url));
  if (applied.length > 0) log.info({ applied }, 'migrated the database');
  const metadata = openPgMetadataStore({
    url,
    maxConnections: config.database.maxPool,
    isMutableTag: matchesAny(config.registry.mutableTags),
    onConnectionLost: (error) => log.warn({ err: error }, 'a connection to PostgreSQL was lost'),
    metrics,
    routing,
  });
  closers.add(() => metadata.close());
  return metadata;
}

/** A directory or bucket of another registry must never be written to, nor swept. */
async function claimStore(metadata: MetadataStore, store: BlobStore, location: StoreLocation) {
  const registryId = await metadata.registryId();
  // An empty store beside a database that names objects is one whose volume isn't there: it must not be taken.
  const carried = (await metadata.isEmpty())
    ? await store.claim(registryId)
    : await store.registryId();
  if (carried === registryId) return registryId;
  throw new StartError(storeMismatch(location, carried, registryId));
}
