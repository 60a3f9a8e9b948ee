import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import { type RequestMeasure, RequestMetrics } from './request-metrics.ts';

/** How much of what is shared by all appends is in use. */
export interface IngestUsage {
  readonly appends: number;
  readonly memoryBytes: number;
  readonly memoryLimitBytes: number;
  readonly threads: number;
  /** In which threads weren't idle, since they started, summed up. */
  readonly busySeconds: number;
}

export interface PoolUsage {
  readonly connections: number;
  readonly idle: number;
  readonly limit: number;
  /** Queries that wait for a connection. */
  readonly waiting: number;
}

/** What waits for a sink. */
export interface SinkUsage {
  readonly sink: string;
  readonly pending: number;
  readonly oldestSeconds: number;
  readonly parked: number;
}

/** What the registry counts, in Prometheus' terms. One instance per server; it never leaves the process. */
export interface Metrics {
  readonly uploadedBytes: Counter;
  /** Bytes read back from the store to digest them, since no saved digest covered them. */
  readonly rereadBytes: Counter;
  readonly downloadedBytes: Counter;
  readonly activeAppends: Gauge;
  readonly workerDeaths: Counter;
  readonly databaseUnavailable: Counter;
  requestBegan(): void;
  requestEnded(measure: RequestMeasure): void;
  /** @param statement the name of a prepared statement */
  databaseQuery(statement: string, seconds: number): void;
  storeRequest(operation: string, outcome: string, seconds: number): void;
  digested(engine: string, bytes: number, seconds: number): void;
  /** @param source where the answer came from */
  tokenCheck(source: string, outcome: string): void;
  teamLookup(source: string, outcome: string): void;
  /** @param setting the variable that names the dependency */
  dependencyRequest(setting: string, outcome: string, seconds: number): void;
  /** @param result `delivered`, `failed`, or `cut` by the end of the process */
  outboxDelivery(sink: string, result: string, seconds: number): void;
  /** From what happened to its delivery. */
  outboxDelay(sink: string, seconds: number): void;
  watchOutbox(read: () => readonly SinkUsage[]): void;
  watchIngest(read: () => IngestUsage): void;
  watchDatabasePool(read: () => PoolUsage): void;
  /** Prometheus' text format. */
  render(): Promise<{ contentType: string; text: string }>;
}

const QUERY_SECONDS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.05, 0.25, 1, 5];
const DELAY_SECONDS = [0.05, 0.1, 0.25, 0.5, 1, 5, 30, 120, 600, 3600, 86_400];
const CALL_SECONDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 45];

/** prom-client's own that Prometheus' rules for names refuse: gauges that end in _total. */
const MISNAMED = [
  'nodejs_active_handles_total',
  'nodejs_active_requests_total',
  'nodejs_active_resources_total',
];

/** @param version of the registry */
export function createMetrics(version = 'unknown'): Metrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  for (const name of MISNAMED) registry.removeSingleMetric(name);
  const make = new Maker(registry);
  const requests = new RequestMetrics(registry);
  make
    .gauge('pierone_build_info', 'What runs; always 1', ['version', 'node_version'])
    .set({ version, node_version: process.version }, 1);
  return {
    uploadedBytes: make.counter(
      'pierone_uploaded_bytes_total',
      'Bytes of layers received from clients',
    ),
    rereadBytes: make.counter(
      'pierone_reread_bytes_total',
      'Bytes read back from the store to verify a digest',
    ),
    downloadedBytes: make.counter(
      'pierone_downloaded_bytes_total',
      'Bytes of layers sent to clients',
    ),
    activeAppends: make.gauge('pierone_active_appends', 'Request bodies that are being stored'),
    workerDeaths: make.counter('pierone_worker_deaths_total', 'Ingest workers that died'),
    requestBegan: () => requests.requestBegan(),
    requestEnded: (measure) => requests.requestEnded(measure),
    ...databaseMetrics(make),
    ...ingestMetrics(make),
    ...accessMetrics(make),
    ...outboxMetrics(make),
    async render() {
      return { contentType: registry.contentType, text: await registry.metrics() };
    },
  };
}

/** Metrics of one registry of prom-client. */
class Maker {
  readonly #registers: Registry[];

  constructor(registry: Registry) {
    this.#registers = [registry];
  }

  counter(name: string, help: string, labelNames: string[] = []): Counter {
    return new Counter({ name, help, labelNames, registers: this.#registers });
  }

  gauge(name: string, help: string, labelNames: string[] = []): Gauge {
    return new Gauge({ name, help, labelNames, registers: this.#registers });
  }

  /** Its value is asked for when it is shown. */
  gaugeOf(name: string, help: string, read: () => number): void {
    const registers = this.#registers;
    const gauge: Gauge = new Gauge({ name, help, registers, collect: () => gauge.set(read()) });
  }

  gaugeBySink(name: string, help: string, read: () => (readonly [string, number])[]): void {
    const gauge: Gauge = new Gauge({
      name,
      help,
      labelNames: ['sink'],
      registers: this.#registers,
      collect: () => {
        gauge.reset();
        for (const [sink, value] of read()) gauge.set({ sink }, value);
      },
    });
  }

  /** Of something that counts by itself, from 0. */
  counterOf(name: string, help: string, read: () => number): void {
    const registers = this.#registers;
    const counter: Counter = new Counter({
      name,
      help,
      registers,
      collect: () => {
        counter.reset();
        counter.inc(read());
      },
    });
  }

  histogram(name: string, help: string, labelNames: string[], buckets: number[]): Histogram {
    return new Histogram({ name, help, labelNames, buckets, registers: this.#registers });
  }
}

function databaseMetrics(make: Maker) {
  const duration = make.histogram(
    'pierone_database_query_duration_seconds',
    'Statements in PostgreSQL, with the wait for a connection',
    ['statement'],
    QUERY_SECONDS,
  );
  const databaseUnavailable = make.counter(
    'pierone_database_unavailable_total',
    'Statements and transactions that failed since PostgreSQL could not be asked',
  );
  return {
    databaseUnavailable,
    databaseQuery: (statement: string, seconds: number) => duration.observe({ statement }, seconds),
    watchDatabasePool(read: () => PoolUsage) {
      const gauge = (name: string, help: string, value: (usage: PoolUsage) => number) =>
        make.gaugeOf(`pierone_database_${name}`, help, () => value(read()));
      gauge('connections', 'Connections to PostgreSQL, but that for locks', (u) => u.connections);
      gauge('connections_idle', 'Those of them that nobody uses', (u) => u.idle);
      gauge('connections_limit', 'DB_MAX_POOL', (u) => u.limit);
      gauge('waiting_queries', 'Queries that wait for a connection', (u) => u.waiting);
    },
  };
}

function ingestMetrics(make: Maker) {
  const bytes = make.counter('pierone_digested_bytes_total', 'Bytes digested as they arrived', [
    'engine',
  ]);
  const seconds = make.counter('pierone_digest_seconds_total', 'Time that digesting them took', [
    'engine',
  ]);
  const storeDuration = make.histogram(
    'pierone_s3_request_duration_seconds',
    'Requests to S3 to the head of the answer, each try by itself',
    ['operation', 'outcome'],
    CALL_SECONDS,
  );
  return {
    storeRequest(operation: string, outcome: string, time: number) {
      storeDuration.observe({ operation, outcome }, time);
    },
    digested(engine: string, count: number, time: number) {
      bytes.inc({ engine }, count);
      seconds.inc({ engine }, time);
    },
    watchIngest(read: () => IngestUsage) {
      const gauge = (name: string, help: string, value: (usage: IngestUsage) => number) =>
        make.gaugeOf(`pierone_ingest_${name}`, help, () => value(read()));
      gauge('appends', 'Appends that have memory', (u) => u.appends);
      gauge('memory_bytes', 'Memory granted to appends', (u) => u.memoryBytes);
      gauge('memory_limit_bytes', 'BUFFER_MEMORY_MIB', (u) => u.memoryLimitBytes);
      gauge('threads', 'Ingest threads that live', (u) => u.threads);
      make.counterOf(
        'pierone_ingest_thread_busy_seconds_total',
        'Time in which ingest threads were not idle, summed up',
        () => read().busySeconds,
      );
    },
  };
}

function accessMetrics(make: Maker) {
  const checks = make.counter(
    'pierone_token_checks_total',
    'Checks of credentials, by where the answer came from',
    ['source', 'outcome'],
  );
  const lookups = make.counter(
    'pierone_team_lookups_total',
    'Lookups of teams, by where the answer came from',
    ['source', 'outcome'],
  );
  const duration = make.histogram(
    'pierone_dependency_request_duration_seconds',
    'Requests to what access control depends on, by the variable that names it',
    ['dependency', 'outcome'],
    CALL_SECONDS,
  );
  return {
    tokenCheck: (source: string, outcome: string) => checks.inc({ source, outcome }),
    teamLookup: (source: string, outcome: string) => lookups.inc({ source, outcome }),
    dependencyRequest(dependency: string, outcome: string, seconds: number) {
      duration.observe({ dependency, outcome }, seconds);
    },
  };
}

function outboxMetrics(make: Maker) {
  const duration = make.histogram(
    'pierone_outbox_delivery_duration_seconds',
    'Attempts to deliver an event to a sink, by how they ended',
    ['sink', 'result'],
    CALL_SECONDS,
  );
  const delay = make.histogram(
    'pierone_outbox_delay_seconds',
    'From an event to its delivery',
    ['sink'],
    DELAY_SECONDS,
  );
  return {
    outboxDelivery: (sink: string, result: string, time: number) =>
      duration.observe({ sink, result }, time),
    outboxDelay: (sink: string, time: number) => delay.observe({ sink }, time),
    watchOutbox(read: () => readonly SinkUsage[]) {
      const gauge = (name: string, help: string, value: (usage: SinkUsage) => number) =>
        make.gaugeBySink(`pierone_outbox_${name}`, help, () =>
          read().map((usage) => [usage.sink, value(usage)]),
        );
      gauge('pending', 'Events that wait for their delivery', (u) => u.pending);
      gauge('oldest_seconds', 'Age of the first of them', (u) => u.oldestSeconds);
      gauge('parked', 'Events that are not tried any more', (u) => u.parked);
    },
  };
}
