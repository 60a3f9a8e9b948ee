import type { TestProject } from 'vitest/node';
import { serveLazily } from './lazy-service.ts';
import { startRgw } from './rgw.ts';

declare module 'vitest' {
  export interface ProvidedContext {
    /** Where shared-rgw.ts asks for the RGW of this run. */
    readonly rgwStarter: string;
  }
}

/** One RGW, in memory, for all tests of a run; started when the first of them asks. */
export async function setup(project: TestProject): Promise<() => Promise<void>> {
  const rgw = await serveLazily(startRgw, ({ endpoint, accessKey, secretKey }) => ({
    endpoint,
    accessKey,
    secretKey,
  }));
  project.provide('rgwStarter', rgw.url);
  return () => rgw.end();
}
