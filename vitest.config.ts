import { defineConfig } from 'vitest/config';

/** One project per kind of test; CONTRIBUTING.md says what belongs where. */
function project(name: string, testTimeoutMs: number, isSequential = false) {
  return {
    test: {
      name,
      include: [`test/${name}/**/*.test.ts`],
      testTimeout: testTimeoutMs,
      hookTimeout: 120_000,
      fileParallelism: !isSequential,
      pool: 'forks' as const,
    },
  };
}

export default defineConfig({
  test: {
    projects: [
      project('unit', 10_000),
      project('contract', 60_000),
      project('integration', 120_000),
      project('e2e', 900_000, true),
    ],
    coverage: { provider: 'v8', include: ['src/**/*.ts'], reporter: ['text', 'html'] },
  },
});
