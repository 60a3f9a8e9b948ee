import { join, resolve } from 'node:path';
import {
  type AccessConfig,
  accessContradictions,
  accessNotices,
  isSecured,
  toAccessConfig,
} from './config-access.ts';
import { type EventsConfig, toEventsConfig } from './config-events.ts';
import { NOT_HONOURED } from './config-original.ts';
import {
  type Runtime,
  type S3Config,
  s3Contradictions,
  THIS_RUNTIME,
  toS3Config,
  withAwsDefaults,
} from './config-s3.ts';
import { sinkContradictions, sinkNotices } from './config-sinks.ts';
import type { Setting } from './setting.ts';
import { SECRET_SETTINGS, SETTINGS, type Values } from './settings.ts';

const MIB = 1024 * 1024;

export interface Config {
  readonly http: {
    readonly host: string;
    readonly port: number;
    /** Undefined: whichever can be loaded, the faster one first. */
    readonly transport: 'uws' | 'node' | undefined;
    /** Undefined: HTTP, not HTTPS. */
    readonly tls: { readonly certFile: string; readonly keyFile: string } | undefined;
    /** An origin, without a slash at its end. */
    readonly externalUrl: string | undefined;
    readonly trustedProxies: Values['HTTP_TRUSTED_PROXIES'];
    readonly pace: { readonly minBytesPerSecond: number; readonly idleTimeoutMs: number };
  };
  readonly access: AccessConfig;
  readonly management: { readonly host: string; readonly port: number };
  /** `url` undefined: the embedded PostgreSQL in `embeddedDirectory`. */
  readonly database: {
    readonly url: string | undefined;
    readonly maxPool: number;
    readonly embeddedDirectory: string;
  };
  /** Where the layers are. */
  readonly storage: { readonly kind: 'file'; readonly directory: string } | S3Config;
  readonly registry: {
    readonly mutableTags: readonly string[];
    readonly manifestMaxBytes: number;
    readonly uploadExpirationMs: number;
    readonly sweepGraceMs: number;
    readonly sweepIntervalMs: number;
    readonly compactIntervalMs: number;
  };
  readonly events: EventsConfig;
  readonly workers: {
    readonly threads: number;
    readonly bufferMemoryBytes: number;
    readonly bufferMemoryPerUploadBytes: number;
  };
  readonly startTimeoutMs: number;
  readonly shutdownTimeoutMs: number;
  readonly logLevel: string;
  readonly logsAccess: boolean;
  /** Variables of the original Pier One that are set but not honoured, a sentence each. */
  readonly notices: readonly string[];
}

/** All that is wrong with the environment, a sentence each. */
export class ConfigError extends Error {
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(
      `the configuration has ${problems.length} problem(s):\n${problems.map((p) => `  - ${p}`).join('\n')}`,
    );
    this.name = 'ConfigError';
    this.problems = problems;
  }
}

type Environment = Readonly<Record<string, string | undefined>>;

/** Reads the configuration. @throws ConfigError that lists every problem by the variable's name. */
export function readConfig(environment: Environment, runtime: Runtime = THIS_RUNTIME): Config {
  const problems: string[] = [];
  const values = readValues(withAwsDefaults(environment), problems);
  problems.push(
    ...contradictions(values),
    ...accessContradictions(values, environment),
    ...s3Contradictions(values, environment, runtime),
    ...sinkContradictions(values, environment),
  );
  if (problems.length > 0 || !isComplete(values)) throw new ConfigError(problems);
  return toConfig(values, environment, [
    ...noticesOf(environment),
    ...accessNotices(values),
    ...sinkNotices(values),
  ]);
}

/** Each variable that can be read; what is wrong with the others goes to `problems`. */
function readValues(environment: Environment, problems: string[]): Partial<Values> {
  const values: Record<string, unknown> = {};
  for (const [name, { schema, fallback }] of Object.entries<Setting<unknown>>(SETTINGS)) {
    const given = environment[name] ?? fallback;
    if (given === undefined) continue;
    const result = schema.safeParse(given);
    if (result.success) values[name] = result.data;
    else {
      const shown = SECRET_SETTINGS.has(name) ? '' : `; it is "${given}"`;
      problems.push(`${name} must be ${result.error.issues[0]?.message}${shown}`);
    }
  }
  return values;
}

/** Settings that are right each by itself, and wrong together. */
function contradictions(values: Partial<Values>): string[] {
  const problems: string[] = [];
  if (values.DATABASE_URL !== undefined && values.DB_SUBNAME !== undefined) {
    problems.push('DATABASE_URL and DB_SUBNAME both name a database: keep one of them');
  }
  const { HTTP_HOST: host = '127.0.0.1', BUFFER_MEMORY_PER_UPLOAD_MIB: one = 0 } = values;
  if (values.HTTP_ALLOW_UNPROTECTED === false && !isLoopback(host) && !isSecured(values)) {
    problems.push(
      `HTTP_HOST is ${host}, where others could reach a registry that protects nothing: set HTTP_TOKENINFO_URL, HTTP_INTROSPECTION_URL or HTTP_OIDC_ISSUER; or HTTP_ALLOW_UNPROTECTED=true if that is meant (docker run -e HTTP_ALLOW_UNPROTECTED=true); or use 127.0.0.1, which in a container nobody else reaches`,
    );
  }
  const { HTTP_TLS_CERT_FILE: cert, HTTP_TLS_KEY_FILE: key } = values;
  if ((cert === undefined) !== (key === undefined)) {
    const [there, missing] = cert === undefined ? ['KEY', 'CERT'] : ['CERT', 'KEY'];
    problems.push(`HTTP_TLS_${there}_FILE is set without HTTP_TLS_${missing}_FILE: set both`);
  }
  if (one > (values.BUFFER_MEMORY_MIB ?? one)) {
    problems.push('BUFFER_MEMORY_PER_UPLOAD_MIB must be at most BUFFER_MEMORY_MIB');
  }
  return problems;
}

function isComplete(values: Partial<Values>): values is Values {
  return Object.entries<Setting<unknown>>(SETTINGS).every(
    ([name, { fallback }]) => fallback === undefined || name in values,
  );
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127(\.\d{1,3}){3}$/.test(host);
}

function noticesOf(environment: Environment): string[] {
  return Object.entries(NOT_HONOURED)
    .filter(([name]) => environment[name] !== undefined)
    .map(([name, reason]) => `${name} is not honoured: ${reason}`);
}

function toConfig(values: Values, environment: Environment, notices: string[]): Config {
  const directory = resolve(values.STORAGE_DIRECTORY);
  return {
    http: {
      host: values.HTTP_HOST,
      port: values.HTTP_PORT,
      transport: values.HTTP_TRANSPORT,
      tls: tlsOf(values),
      externalUrl: values.HTTP_EXTERNAL_URL && new URL(values.HTTP_EXTERNAL_URL).origin,
      trustedProxies: values.HTTP_TRUSTED_PROXIES,
      pace: {
        minBytesPerSecond: values.HTTP_MIN_RATE,
        idleTimeoutMs: values.HTTP_IDLE_TIMEOUT * 1000,
      },
    },
    access: toAccessConfig(values),
    management: { host: values.MGMT_HTTP_HOST, port: values.MGMT_HTTP_PORT },
    database: {
      url: values.DATABASE_URL ?? urlOfSubname(values),
      maxPool: values.DB_MAX_POOL,
      embeddedDirectory: join(directory, 'postgresql'),
    },
    storage:
      values.STORAGE_S3_BUCKET === undefined
        ? { kind: 'file', directory }
        : toS3Config(values, values.STORAGE_S3_BUCKET),
    registry: {
      mutableTags: values.MUTABLE_TAGS,
      manifestMaxBytes: values.MANIFEST_MAX_BYTES,
      uploadExpirationMs: values.UPLOAD_EXPIRATION_HOURS * 3_600_000,
      sweepGraceMs: values.SWEEP_GRACE_HOURS * 3_600_000,
      sweepIntervalMs: values.SWEEP_INTERVAL * 1000,
      compactIntervalMs: values.COMPACT_INTERVAL * 1000,
    },
    events: toEventsConfig(values, environment),
    workers: toWorkers(values),
    startTimeoutMs: values.START_TIMEOUT * 1000,
    shutdownTimeoutMs: values.SHUTDOWN_TIMEOUT * 1000,
    logLevel: values.SYSTEM_LOG_LEVEL,
    logsAccess: values.HTTP_ACCESS_LOG,
    notices,
  };
}

/** Bytes are with a disk sooner than with S3, where several parts must be on their way for one upload to be fast. */
function toWorkers(values: Values): Config['workers'] {
  const total = values.BUFFER_MEMORY_MIB;
  const perUpload = values.STORAGE_S3_BUCKET === undefined ? 8 : 48;
  return {
    threads: values.WORKER_THREADS,
    bufferMemoryBytes: total * MIB,
    bufferMemoryPerUploadBytes:
      (values.BUFFER_MEMORY_PER_UPLOAD_MIB ?? Math.min(perUpload, total)) * MIB,
  };
}

function tlsOf({ HTTP_TLS_CERT_FILE: cert, HTTP_TLS_KEY_FILE: key }: Values) {
  if (cert === undefined || key === undefined) return undefined;
  return { certFile: resolve(cert), keyFile: resolve(key) };
}

function urlOfSubname(values: Values): string | undefined {
  if (values.DB_SUBNAME === undefined) return undefined;
  const credentials = `${encodeURIComponent(values.DB_USER)}:${encodeURIComponent(values.DB_PASSWORD)}`;
  return `postgresql://${credentials}@${values.DB_SUBNAME.slice(2)}`;
}
