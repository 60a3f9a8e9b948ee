import { afterAll, afterEach, beforeAll, beforeEach } from 'vitest';
import { HttpClient } from './http-client.ts';
import { startPostgres, type TestPostgres } from './postgres.ts';
import { type ServerProcess, startServer } from './server.ts';
import { createDatabase, makeStorage, type StorageDirectory } from './test-registry.ts';

/** Server processes over one PostgreSQL; each test has a database and a storage directory of its own. */
export interface ServerFixture {
  readonly postgres: TestPostgres;
  readonly databaseUrl: string;
  readonly storage: StorageDirectory;
  /** Starts a server on them. It is killed after the test if it still runs. */
  start(
    environment?: Readonly<Record<string, string>>,
  ): Promise<{ server: ServerProcess; api: HttpClient }>;
}

/** Call it at the top of a test file: it adds the hooks. What it returns is there while a test runs. */
export function useServers(): ServerFixture {
  let postgres: TestPostgres;
  let databaseUrl: string;
  let storage: StorageDirectory;
  let started: ServerProcess[];

  beforeAll(async () => {
    postgres = await startPostgres();
  });
  beforeEach(async () => {
    databaseUrl = await createDatabase(postgres.url);
    storage = await makeStorage();
    started = [];
  });
  afterEach(async () => {
    await Promise.all(started.map((server) => server.kill()));
    await storage?.remove();
  });
  afterAll(() => postgres?.stop());

  return {
    get postgres() {
      return postgres;
    },
    get databaseUrl() {
      return databaseUrl;
    },
    get storage() {
      return storage;
    },
    async start(environment = {}) {
      const server = await startServer({
        DATABASE_URL: databaseUrl,
        STORAGE_DIRECTORY: storage.path,
        ...environment,
      });
      started.push(server);
      return { server, api: new HttpClient(server.url) };
    },
  };
}
