import { readFile } from 'node:fs/promises';
import { type Jobs, startJobs } from './background-jobs.ts';
import type { Config } from './config.ts';
import { SinkRouting } from './events/routing.ts';
import type { Sink } from './events/sink.ts';
import { drain } from './http/drain.ts';
import type { Handler, Transport } from './http/exchange.ts';
import { Gate } from './http/gate.ts';
import { KeptAnswers } from './http/kept-answers.ts';
import { listenManagement, type Management } from './http/management.ts';
import { openTransport } from './http/open-transport.ts';
import { Proxies } from './http/proxies.ts';
import { registryHandler } from './http/registry-handler.ts';
import { watchTlsFiles } from './http/tls-files.ts';
import { createAccessLog, type Log } from './log.ts';
import type { MetadataStore } from './meta/metadata-store.ts';
import { createMetrics, type Metrics } from './metrics.ts';
import { type AccessContext, openAccess } from './open-access.ts';
import { openDependencies } from './open-dependencies.ts';
import { type OutboxContext, openOutbox } from './open-outbox.ts';
import { Blobs } from './registry/blobs.ts';
import { Catalog } from './registry/catalog.ts';
import { Manifests } from './registry/manifests.ts';
import { TagReports } from './registry/tag-reports.ts';
import { Uploads } from './registry/uploads.ts';
import { Closers } from './start-up.ts';
import type { BlobStore } from './storage/blob-store.ts';
import { describeStore, type StoreLocation } from './storage/open-store.ts';
import { observeStore } from './storage/store-requests.ts';
import { watchHealth } from './watch-health.ts';
import type { Ingest } from './workers/ingest.ts';
import { type IngestOptions, openIngestPool } from './workers/ingest-pool.ts';

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

/** What may be replaced, for measurements and tests. */
export interface ServerOverrides {
  readonly openIngest?: (options: IngestOptions) => Ingest;
  /** Instead of those of the configuration. */
  readonly sinks?: readonly Sink[];
}

/**
 * Builds the registry from its configuration and starts it.
 * @param signal ends a start that waits for what isn't there yet
 * @throws StartError, StartAborted, ListenError, MetadataUnavailable, StoreUnavailable; nothing is left running
 */
export async function startServer(
  config: Config,
  log: Log,
  overrides: ServerOverrides = {},
  signal?: AbortSignal,
): Promise<Server> {
  const closers = new Closers();
  try {
    return await start(config, log, overrides, closers, signal);
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
  signal: AbortSignal | undefined,
): Promise<Server> {
  // First, since it is a mistake of the configuration if it can't be read.
  const { tls } = config.http;
  const tlsWatch = tls && (await watchTlsFiles(tls, log));
  const metrics = createMetrics(await ownVersion());
  closers.add(observeStore((...request) => metrics.storeRequest(...request)));
  const watch = watchHealth(config, metrics);
  closers.add(() => watch.stop());
  const { health } = watch;
  // Before what it reports on, which may come minutes later.
  const management = await listenManagement(config.management, { metrics, health });
  closers.add(() => management.close());
  const onState = watch.note.bind(watch);
  const routing = new SinkRouting();
  const opening = { log, metrics, routing, closers, signal, onState };
  const opened = await openDependencies(config, opening);
  const { metadata, store, location, registryId } = opened;
  const ingest = openIngest(config, { location, metrics, log }, overrides, closers);
  watch.ask({ metadata, store, ingest, registryId });
  const jobs = startJobs(config, { metadata, store, ingest, registryId, log });
  closers.add(() => jobs.stop());
  const context = { metadata, routing, health, metrics, log };
  const deliveries = await startDeliveries(config, context, overrides, closers);
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
    uploads: new Uploads({ metadata, store, ingest, metrics, log, registryId, expirationMs }),
    ...lookups(metadata, store, log, jobs),
    deliveries,
    metrics,
    log,
    accessLog: config.logsAccess ? createAccessLog(log) : undefined,
    proxies,
    manifestMaxBytes,
  });
  const transport = await openHttp(config, proxies, handler, log, closers);
  // An end that has begun listens for no new certificate.
  closers.add(() => tlsWatch?.stop());
  closers.add(() => health.enter('draining'));
  health.enter('ok');
  tlsWatch?.start(() => transport.renewTls());
  return {
    ...urls(config, transport, management),
    description: [opened.database, `Layers are kept in the ${describeStore(location)}.`],
    close: () => closers.close(log),
  };
}

/** The use cases that read, and the push of manifests. */
function lookups(metadata: MetadataStore, store: BlobStore, log: Log, jobs: Jobs) {
  const blobs = new Blobs(metadata, store);
  const manifests = new Manifests(metadata, log, () => jobs.lookForSources());
  const catalog = new Catalog(metadata);
  const tagReports = new TagReports({ metadata, catalog, manifests, blobs });
  return { blobs, manifests, catalog, tagReports, answers: new KeptAnswers() };
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
    onSlowDigests: (reason) => {
      log.warn(
        { reason },
        'OpenSSL cannot be called here: digesting chunked uploads by the slower hash-wasm',
      );
    },
  });
  closers.add(() => ingest.close());
  metrics.watchIngest(() => ingest.usage());
  return ingest;
}

function urls(config: Config, transport: Transport, management: Management) {
  const authority = (host: string, port: number) =>
    `${host.includes(':') ? `[${host}]` : host}:${port}`;
  return {
    url: `${config.http.tls ? 'https' : 'http'}://${authority(config.http.host, transport.port)}`,
    managementUrl: `http://${authority(config.management.host, management.port)}`,
  };
}
