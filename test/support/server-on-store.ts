import { afterAll, afterEach, beforeAll, beforeEach } from 'vitest';
import { startPostgres, type TestPostgres } from './postgres.ts';
import type { ServerProcess } from './server.ts';
import { startServerIn } from './server-in-workspace.ts';
import { createStore, type StoreKind } from './store-fixture.ts';
import { createDatabase } from './test-registry.ts';
import { createWorkspace, type Workspace } from './workspace.ts';

/** A server on an empty store, as it comes: a directory with the embedded PostgreSQL in it, or a bucket and a database. */
export interface ServerOnStore {
  readonly workspace: Workspace;
  readonly server: ServerProcess;
}

/**
 * Call it in a `describe`: it adds the hooks, for a new one for each test, or for one that all its tests share. What it returns is
 * there while a test runs.
 */
export function useServerOn(kind: StoreKind, lifetime: 'test' | 'suite' = 'test'): ServerOnStore {
  const [before, after] =
    lifetime === 'test' ? ([beforeEach, afterEach] as const) : ([beforeAll, afterAll] as const);
  let postgres: TestPostgres | undefined;
  let workspace: Workspace;
  let server: ServerProcess;

  beforeAll(async () => {
    if (kind === 'S3') postgres = await startPostgres();
  });
  before(async () => {
    workspace = await createWorkspace();
    const { environment } = await createStore(workspace, kind);
    const database = postgres ? { DATABASE_URL: await createDatabase(postgres.url) } : {};
    server = await startServerIn(workspace, { ...environment, ...database });
  });
  afterAll(() => postgres?.stop());
  after(() => workspace?.dispose());

  return {
    get workspace() {
      return workspace;
    },
    get server() {
      return server;
    },
  };
}
