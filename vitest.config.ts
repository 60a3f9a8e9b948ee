import { randomUUID } from 'node:crypto';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { defineConfig } from 'vitest/config';

/** The ways in which the API's tests reach the registry, a project each: the transport, and whether it speaks TLS. */
type Way = 'uws' | 'node' | 'uws-tls' | 'node-tls';
const WAYS: readonly Way[] = ['uws', 'node', 'uws-tls', 'node-tls'];

/** One project per kind of test; CONTRIBUTING.md says what belongs where. */
function project(name: string, testTimeoutMs: number, options: object = {}) {
  return {
    test: {
      name,
      include: [`test/${name}/**/*.test.ts`],
      testTimeout: testTimeoutMs,
      hookTimeout: 120_000,
      pool: 'forks' as const,
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
    globalSetup: 'test/support/rgw-setup.ts',
    // The SDK's version is fixed here; what later ones need is noise in the output of each test.
    env: { AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: 'true' },
    projects: [
      project('unit', 10_000),
      project('contract', 60_000),
      ...WAYS.map(apiProject),
      project('integration', 120_000),
      project('e2e', 900_000, { fileParallelism: false }),
    ],
    coverage: { provider: 'v8', include: ['src/**/*.ts'], reporter: ['text', 'html'] },
  },
});
