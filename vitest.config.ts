import { randomUUID } from 'node:crypto';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { defineConfig } from 'vitest/config';
import { LongestFirst } from './test/support/longest-first.ts';
import { UnendedReporter } from './test/support/unended-reporter.ts';

/** The ways in which the API's tests reach the registry, a project each: the transport, and whether it speaks TLS. */
type Way = 'uws' | 'node' | 'uws-tls' | 'node-tls';
const WAYS: readonly Way[] = ['uws', 'node', 'uws-tls', 'node-tls'];

const CORES = availableParallelism();
/** Projects of a group run at the same time, so many files at once; the groups one after the other. */
const GROUPS = {
  computing: { maxWorkers: CORES + 1, sequence: { groupOrder: 1 } },
  waiting: { maxWorkers: 4, sequence: { groupOrder: 2 } },
  clients: { maxWorkers: Math.min(CORES + 1, 4), sequence: { groupOrder: 3 } },
};

/**
 * They wait for time-outs and slow peers, and some promise an answer in time: so they run together, and not beside those that
 * keep all processors busy.
 */
const WAITING = {
  contract: ['transport.node', 'transport.uws', 's3-socket-reader', 's3-driver'],
  integration: [
    's3-faults-network',
    's3-faults-memory',
    's3-faults-database',
    'faults-database-load',
    'faults-shutdown',
    'access-outage',
    'embedded-postgres-restart',
  ],
  e2e: ['nginx', 'slow-clients.node', 'slow-clients.uws'],
};

/** One project per kind of test; CONTRIBUTING.md says what belongs where. */
function project(name: string, testTimeoutMs: number, options: object = {}) {
  return {
    test: {
      name,
      include: [`test/${name}/**/*.test.ts`],
      testTimeout: testTimeoutMs,
      hookTimeout: 300_000,
      pool: 'forks' as const,
      ...GROUPS.computing,
      ...options,
    },
  };
}

/** The projects `KIND` and `KIND-waiting`. */
function projectPair(kind: keyof typeof WAITING, testTimeoutMs: number, group: object) {
  const waiting = WAITING[kind].map((name) => `test/${kind}/${name}.test.ts`);
  return [
    project(kind, testTimeoutMs, { ...group, exclude: waiting }),
    project(`${kind}-waiting`, testTimeoutMs, { ...GROUPS.waiting, include: waiting }),
  ];
}

function apiProject(way: Way) {
  const [transport = '', tls] = way.split('-');
  const env = { TEST_TRANSPORT: transport };
  // They are many, and change nothing of their process: what they import is loaded once for all of a worker's.
  const options = { include: ['test/api/**/*.test.ts'], isolate: false, env };
  if (!tls) return project(`api-${way}`, 120_000, options);
  const directory = join(tmpdir(), `pierone-test-${randomUUID()}`);
  return project(`api-${way}`, 120_000, {
    ...options,
    env: { ...env, TEST_TLS_DIRECTORY: directory },
    globalSetup: 'test/support/certificate-setup.ts',
  });
}

export default defineConfig({
  test: {
    globalSetup: ['test/support/rgw-setup.ts', 'test/support/postgres-setup.ts'],
    // The SDK's version is fixed here; what later ones need is noise in the output of each test.
    env: { AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: 'true' },
    projects: [
      project('unit', 60_000),
      ...WAYS.map(apiProject),
      ...projectPair('contract', 120_000, GROUPS.computing),
      ...projectPair('integration', 300_000, GROUPS.computing),
      ...projectPair('e2e', 900_000, GROUPS.clients),
    ],
    teardownTimeout: 60_000,
    reporters: ['default', new UnendedReporter()],
    sequence: { sequencer: LongestFirst },
    coverage: { provider: 'v8', include: ['src/**/*.ts'], reporter: ['text', 'html'] },
  },
});
