import { readFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { type Jobs, startJobs } from './background-jobs.ts';
import type { Config } from './config.ts';
import { SinkRouting } from './events/routing.ts';
import type { Sink } from './events/sink.ts';
import type { Handler, Transport } from './http/exchange.ts';
import { Gate } from './http/gate.ts';
import { listenManagement, type Management } from './http/management.ts';
import { openTransport } from './http/open-transport.ts';
import { Proxies } from './http/proxies.ts';
import { registryHandler } from './http/registry-handler.ts';
import { watchTlsFiles } from './http/tls-files.ts';
import { createAccessLog, type Log } from './log.ts';
import type { MetadataStore } from './meta/metadata-store.ts';
import {
  EmbeddedPostgresError,
  startEmbeddedPostgres,
} from './meta/pg/embedded/embedded-postgres.ts';
import { migrate } from './meta/pg/migrate.ts';
import { openPgMetadataStore } from './meta/pg/pg-metadata-store.ts';
import { createMetrics, type Metrics } from './metrics.ts';
import { matchesAny } from './oci/tag-rule.ts';
import { type AccessContext, openAccess } from './open-access.ts';
import { type OutboxContext, openOutbox } from './open-outbox.ts';
import { Blobs } from './registry/blobs.ts';
import { Catalog } from './registry/catalog.ts';
import { Manifests } from './registry/manifests.ts';
import { TagReports } from './registry/tag-reports.ts';
import { Uploads } from './registry/uploads.ts';
import type { BlobStore } from './storage/blob-store.ts';
import {
  describeStore,
  openStore,
  type StoreLocation,
  storeMismatch,
} from './storage/open-store.ts';
import { observeStore } from './storage/store-requests.ts';
import { watchHealth } from './watch-health.ts';
import type { Ingest } from './workers/ingest.ts';
import { type IngestOptions, openIngestPool } from './workers/ingest-pool.ts';

/** Time for storing what cut requests had sent. */
const CUT_TIMEOUT_MS = 10_000;

/** A running registry. */
export interface Server {
  /** Where it listens: http://HOST:PORT, or https. */
  readonly url: string;
  readonly managementUrl: string;
  /** What it runs on, a line each, for people. */
  readonly description: readonly string[];
  /**
   * Accepts nothing more, lets running requests end until the time-out, cuts the others (what they sent is kept),
   * and ends everything it started. Call it once.
   */
  close(): Promise<void>;
}

/** Something that can't be as it is: a sentence for the operator, no stack trace. */
export class StartError extends Error {
  override readonly name = 'StartError';
}

/** What may be replaced, for measurements and tests. */
export interface ServerOverrides {
  readonly openIngest?: (options: IngestOptions) => Ingest;
  /** Instead of those of the configuration. */
  readonly sinks?: readonly Sink[];
}

/** Ends what was started, in reverse order, also when a later start fails. */
class Closers {
  readonly #closers: (() => Promise<void> | void)[] = [];

  add(closer: () => Promise<void> | void): void {
    this.#closers.push(closer);
  }

  async close(log: Log): Promise<void> {
    for (const closer of this.#closers.splice(0).toReversed()) {
      try {
        await closer();
      } catch (error) {
        log.error({ err: error }, 'a part did not end well');
      }
    }
  }
}

/**
 * Builds the registry from its configuration and starts it.
 * @throws StartError, ListenError, MetadataUnavailable, StoreUnavailable; nothing is left running
 */
export async function startServer(
  config: Config,
  log: Log,
  overrides: ServerOverrides = {},
): Promise<Server> {
  const closers = new Closers();
  try {
    return await start(config, log, overrides, closers);
  } catch (error) {
    await closers.close(log);
    throw error;
  }
}

async function start(
  config: Config,
  log: Log,
  overrides: ServerOverrides,
  closers: Closers,
): Promise<Server> {
  // First, since it is a mistake of the configuration if it can't be read.
  const { tls } = config.http;
  const tlsWatch = tls && (await watchTlsFiles(tls, log));
  closers.add(() => tlsWatch?.stop());
  const metrics = createMetrics(await ownVersion());
  closers.add(observeStore((...request) => metrics.storeRequest(...request)));
  const routing = new SinkRouting();
  const database = await openDatabase(config, log, closers);
  const metadata = await openMetadata(config, database.url, { log, metrics, routing }, closers);
  const location: StoreLocation = config.storage;
  const store = await openStore(location);
  await store.check();
  const registryId = await claimStore(metadata, store, location);
  const ingest = openIngest(config, { location, metrics, log }, overrides, closers);
  const watch = watchHealth(config, { metadata, store, ingest, registryId }, metrics);
  closers.add(watch.stop);
  const { health } = watch;
  const jobs = startJobs(config, { metadata, store, ingest, registryId, log });
  closers.add(() => jobs.stop());
  const context = { metadata, routing, health, metrics, log };
  const deliveries = await startDeliveries(config, context, overrides, closers);

  const management = await listenManagement(config.management, { metrics, health });
  closers.add(() => management.close());
  const { uploadExpirationMs: expirationMs, manifestMaxBytes } = config.registry;
  const proxies = new Proxies(config.http.trustedProxies, config.http.tls ? 'https' : 'http');
  const { access, tokens } = await openAccessControl(
    config,
    { metadata, registryId, service: serviceOf(config), log, metrics },
    closers,
  );
  const { externalUrl } = config.http;
  const challenge = { kind: config.access.challenge, service: serviceOf(config), externalUrl };
  const handler = registryHandler({
    gate: new Gate({ access, challenge, proxies }),
    access,
    tokens,
    uploads: new Uploads({ metadata, store, ingest, metrics, log, expirationMs }),
    ...lookups(metadata, store, log, jobs),
    deliveries,
    metrics,
    log,
    accessLog: config.logsAccess ? createAccessLog(log) : undefined,
    proxies,
    manifestMaxBytes,
  });
  const transport = await openHttp(config, proxies, handler, log, closers);
  closers.add(() => health.enter('draining'));
  health.enter('ok');
  tlsWatch?.start(() => transport.renewTls());
  return {
    ...urls(config, transport, management),
    description: [database.description, `Layers are kept in the ${describeStore(location)}.`],
    close: () => closers.close(log),
  };
}

/** The use cases that read, and the push of manifests. */
function lookups(metadata: MetadataStore, store: BlobStore, log: Log, jobs: Jobs) {
  const blobs = new Blobs(metadata, store);
  const manifests = new Manifests(metadata, log, () => jobs.lookForSources());
  const catalog = new Catalog(metadata);
  const tagReports = new TagReports({ metadata, catalog, manifests, blobs });
  return { blobs, manifests, catalog, tagReports };
}

async function startDeliveries(
  config: Config,
  context: OutboxContext,
  overrides: ServerOverrides,
  closers: Closers,
) {
  const outbox = await openOutbox(config.events, context, overrides.sinks);
  closers.add(() => outbox.stop());
  return outbox.deliveries;
}

async function openAccessControl(config: Config, context: AccessContext, closers: Closers) {
  const opened = await openAccess(config.access, context);
  closers.add(() => opened.close());
  return opened;
}

async function ownVersion(): Promise<string> {
  const text = await readFile(new URL('../package.json', import.meta.url), 'utf8');
  const { version }: { version?: unknown } = JSON.parse(text);
  return typeof version === 'string' ? version : 'unknown';
}

/** What registry tokens are made for: all instances of a registry have the same external URL, or none. */
function serviceOf({ http: { externalUrl } }: Config): string {
  return externalUrl === undefined ? 'pierone' : new URL(externalUrl).host;
}

async function openHttp(
  { http, shutdownTimeoutMs }: Config,
  proxies: Proxies,
  handler: Handler,
  log: Log,
  closers: Closers,
): Promise<Transport> {
  const transport = await openTransport(http.transport, { ...http, proxies }, handler, log);
  closers.add(() => drain(transport, shutdownTimeoutMs, log));
  return transport;
}

async function openDatabase(config: Config, log: Log, closers: Closers) {
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

interface MetadataContext {
  readonly log: Log;
  readonly metrics: Metrics;
  readonly routing: SinkRouting;
}

async function openMetadata(
  config: Config,
  url: string,
  { log, metrics, routing }: MetadataContext,
  closers: Closers,
) {
  const applied = await migrate(url);
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

interface IngestContext {
  readonly location: StoreLocation;
  readonly metrics: Metrics;
  readonly log: Log;
}

function openIngest(
  config: Config,
  { location, metrics, log }: IngestContext,
  overrides: ServerOverrides,
  closers: Closers,
): Ingest {
  const ingest = (overrides.openIngest ?? openIngestPool)({
    store: location,
    ...config.workers,
    metrics,
    onWorkerDeath: (error) => {
      metrics.workerDeaths.inc();
      log.error({ err: error }, 'an ingest worker died; another one takes its place');
    },
  });
  closers.add(() => ingest.close());
  metrics.watchIngest(() => ingest.usage());
  return ingest;
}

async function drain(transport: Transport, timeoutMs: number, log: Log): Promise<void> {
  transport.stopAccepting();
  let timer: NodeJS.Timeout | undefined;
  const isTimeOver = new Promise<boolean>((resolve) => {
    timer = setTimeout(() => resolve(true), timeoutMs);
  });
  if (await Promise.race([transport.idle().then(() => false), isTimeOver])) {
    log.warn('requests were still running at the end of SHUTDOWN_TIMEOUT, and are cut');
  }
  clearTimeout(timer);
  transport.close();
  // What the cut requests sent is still being stored.
  await Promise.race([transport.idle(), delay(CUT_TIMEOUT_MS, undefined, { ref: false })]);
}

function urls(config: Config, transport: Transport, management: Management) {
  const authority = (host: string, port: number) =>
    `${host.includes(':') ? `[${host}]` : host}:${port}`;
  return {
    url: `${config.http.tls ? 'https' : 'http'}://${authority(config.http.host, transport.port)}`,
    managementUrl: `http://${authority(config.management.host, management.port)}`,
  };
}
