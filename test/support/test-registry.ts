import { randomUUID } from 'node:crypto';
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Client, type QueryResultRow } from 'pg';
import { inject } from 'vitest';
import { readConfig } from '../../src/config.ts';
import { createLog } from '../../src/log.ts';
import { type ServerOverrides, startServer } from '../../src/server.ts';
import { HttpClient } from './http-client.ts';
import { askFor } from './lazy-service.ts';
import { makeFolder } from './postgres.ts';
import { settingsOfWay } from './way.ts';

/** A registry in this process. */
export interface TestRegistry {
  readonly api: HttpClient;
  readonly url: string;
  /** Of metrics and health. */
  readonly management: HttpClient;
  /** The value of a counter or gauge without labels. */
  metric(name: string): Promise<number>;
  close(): Promise<void>;
}

export interface RegistryOptions {
  readonly databaseUrl: string;
  readonly directory: string;
  readonly environment?: Readonly<Record<string, string>>;
  readonly overrides?: ServerOverrides;
  /** Gets the log's lines, JSON texts; without it nothing is logged. */
  readonly onLogLine?: (line: string) => void;
}

export async function startRegistry(options: RegistryOptions): Promise<TestRegistry> {
  const { databaseUrl, directory, environment = {}, overrides, onLogLine } = options;
  const log = onLogLine ? createLog('info', { write: onLogLine }) : createLog('silent');
  const config = readConfig({
    DATABASE_URL: databaseUrl,
    STORAGE_DIRECTORY: directory,
    HTTP_PORT: '0',
    MGMT_HTTP_PORT: '0',
    WORKER_THREADS: '2',
    ...settingsOfWay(),
    ...environment,
  });
  const server = await startServer(config, log, overrides);
  return {
    api: new HttpClient(server.url),
    url: server.url,
    management: new HttpClient(server.managementUrl),
    metric: (name) => readMetric(server.managementUrl, name),
    close: () => server.close(),
  };
}

async function readMetric(managementUrl: string, name: string): Promise<number> {
  const text = (await new HttpClient(managementUrl).send('GET', '/metrics')).body.toString();
  const line = text.split('\n').find((candidate) => candidate.startsWith(`${name} `));
  if (!line) throw new Error(`no metric ${name}`);
  return Number(line.slice(name.length + 1));
}

/** A temporary directory for layers. */
export interface StorageDirectory {
  readonly path: string;
  /** The keys of all segments, sorted. */
  keys(): Promise<string[]>;
  remove(): Promise<void>;
}

export async function makeStorage(): Promise<StorageDirectory> {
  const folder = await makeFolder();
  const path = join(folder, 'layers');
  return {
    path,
    keys: () => segmentKeys(path),
    remove: () => rm(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 }),
  };
}

async function segmentKeys(directory: string): Promise<string[]> {
  const names = await readdir(directory, { recursive: true });
  return names.filter((name) => /^segments\/[^/]+\/./.test(name)).toSorted();
}

/** Asks PostgreSQL over a connection of its own. */
export async function sql<Row extends QueryResultRow>(
  databaseUrl: string,
  text: string,
  values: readonly unknown[] = [],
): Promise<Row[]> {
  const client = new Client({ connectionString: databaseUrl });
  // A connection that is lost in the middle fails the query as well, and that tells.
  client.on('error', () => undefined);
  await client.connect();
  try {
    return (await client.query<Row>(text, [...values])).rows;
  } finally {
    await client.end();
  }
}

/** An empty database in a PostgreSQL that has others: quicker than a PostgreSQL of a test's own. @returns its URL */
export async function createDatabase(databaseUrl: string): Promise<string> {
  const name = `test_${randomUUID().replaceAll('-', '')}`;
  await sql(databaseUrl, `create database ${name}`);
  const url = new URL(databaseUrl);
  url.pathname = `/${name}`;
  return url.href;
}

/** A database of a test's own. */
export interface TestDatabase {
  readonly url: string;
}

/**
 * An empty one, in a PostgreSQL that other tests use, too, with which it goes at the end of the run: who stops or breaks
 * PostgreSQL starts one of its own.
 */
export async function sharedDatabase(): Promise<TestDatabase> {
  const answer = await askFor(inject('postgresStarter'), 'no PostgreSQL');
  return { url: await createDatabase(answer.at('url').text) };
}

/** A database, a directory and a registry on both: what most test files need. */
export interface RegistryFixture {
  readonly database: TestDatabase;
  readonly storage: StorageDirectory;
  readonly registry: TestRegistry;
  close(): Promise<void>;
}

/** @param own a database that isn't shared; the caller ends it, after the fixture */
export async function openFixture(
  environment: Readonly<Record<string, string>> = {},
  own?: TestDatabase,
): Promise<RegistryFixture> {
  const database = own ?? (await sharedDatabase());
  const storage = await makeStorage();
  const options = { databaseUrl: database.url, directory: storage.path, environment };
  const registry = await startRegistry(options);
  return {
    database,
    storage,
    registry,
    close: async () => {
      await registry.close();
      await storage.remove();
    },
  };
}
