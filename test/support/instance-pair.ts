import { afterAll, afterEach, beforeAll, beforeEach } from 'vitest';
import { type Balancer, startBalancer } from './balancer.ts';
import { startPostgres, type TestPostgres } from './postgres.ts';
import type { ServerProcess } from './server.ts';
import { startServerIn } from './server-in-workspace.ts';
import { createStore, type StoreKind } from './store-fixture.ts';
import { createDatabase } from './test-registry.ts';
import { createWorkspace, type Workspace } from './workspace.ts';

/** Two servers on one database and one store, with a balancer in front; new ones for each test. */
export interface InstancePair {
  readonly workspace: Workspace;
  readonly a: ServerProcess;
  readonly b: ServerProcess;
  /** A is its backend 0, B is 1. */
  readonly balancer: Balancer;
  /** Of a counter or gauge: that of A, and that of B. */
  metrics(name: string): Promise<[number, number]>;
}

/** Call it in a `describe`: it adds the hooks. What it returns is there while a test runs. */
export function useInstancePair(kind: StoreKind): InstancePair {
  let postgres: TestPostgres;
  let workspace: Workspace;
  let a: ServerProcess;
  let b: ServerProcess;
  let balancer: Balancer;

  beforeAll(async () => {
    postgres = await startPostgres();
  });
  beforeEach(async () => {
    workspace = await createWorkspace();
    const store = await createStore(workspace, kind);
    const DATABASE_URL = await createDatabase(postgres.url);
    const start = () => startServerIn(workspace, { ...store.environment, DATABASE_URL });
    [a, b] = await Promise.all([start(), start()]);
    balancer = await startBalancer(workspace, [a.host, b.host]);
  });
  afterEach(() => workspace.dispose());
  afterAll(() => postgres?.stop());

  return {
    get workspace() {
      return workspace;
    },
    get a() {
      return a;
    },
    get b() {
      return b;
    },
    get balancer() {
      return balancer;
    },
    metrics: (name) => Promise.all([a.metric(name), b.metric(name)]),
  };
}
