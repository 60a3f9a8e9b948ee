import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';
import { serveLazily } from './lazy-service.ts';
import { startPostgres } from './postgres.ts';
import { TEMPLATES } from './postgres-template.ts';

declare module 'vitest' {
  export interface ProvidedContext {
    /** Where shared-postgres.ts asks for the PostgreSQL of this run. */
    readonly postgresStarter: string;
  }
}

/**
 * Once per run of the tests: a PostgreSQL for those that want no more than a database, and a place for the cluster that all
 * others copy.
 */
export async function setup(project: TestProject): Promise<() => Promise<void>> {
  const folder = await mkdtemp(join(tmpdir(), 'pierone-test-'));
  process.env[TEMPLATES] = folder;
  const postgres = await serveLazily(startPostgres, ({ url }) => ({ url }));
  project.provide('postgresStarter', postgres.url);
  return async () => {
    await postgres.end();
    await rm(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
  };
}
