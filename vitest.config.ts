import { randomUUID } from 'node:crypto';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { defineConfig } from 'vitest/config';
import { LongestFirst } from './test/support/longest-first.ts';

/** The ways in which the API's tests reach the registry, a project each: the transport, and whether it speaks TLS. */
type Way = 'uws' | 'node' | 'uws-tls' | 'node-tls';
const WAYS: readonly Way[] = ['uws', 'node', 'uws-tls', 'node-tls'];

const CORES = availableParallelism();
/** Projects of a group run at the same time, and groups one after the other. So many files at once: most files wait more than they compute. */
const GROUPS = {
  computing: { maxWorkers: CORES + 1, sequence: { groupOrder: 1 } },
  waiting: { maxWorkers: Math.min(2 * CORES, 8), sequence: { groupOrder: 2 } },
  clients: { maxWorkers: Math.min(CORES, 4), sequence: { groupOrder: 3 } },
  alone: { maxWorkers: 1, sequence: { groupOrder: 4 } },
};

/** They load the machine so much that others would wait for them. */
const ALONE = ['test/e2e/slow-clients.test.ts'];

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

function apiProject(way: Way) {
  const [transport = '', tls] = way.split('-');
  const include = ['test/api/**/*.test.ts'];
  const env = { TEST_TRANSPORT: transport };
  if (!tls) return project(`api-${way}`, 120_000, { include, env });
  const directory = join(tmpdir(), `pierone-test-${randomUUID()}`);
  return project(`api-${way}`, 120_000, {
    include,
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
      project('contract', 120_000),
      ...WAYS.map(apiProject),
      project('integration', 300_000, GROUPS.waiting),
      project('e2e', 900_000, { ...GROUPS.clients, exclude: ALONE }),
      project('e2e-alone', 900_000, { ...GROUPS.alone, include: ALONE }),
    ],
    sequence: { sequencer: LongestFirst },
    coverage: { provider: 'v8', include: ['src/**/*.ts'], reporter: ['text', 'html'] },
  },
});
