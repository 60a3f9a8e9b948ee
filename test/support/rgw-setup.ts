import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import type { TestProject } from 'vitest/node';
import { startRgw, type TestRgw } from './rgw.ts';

declare module 'vitest' {
  export interface ProvidedContext {
    /** Where shared-rgw.ts asks for the RGW of this run. */
    readonly rgwStarter: string;
  }
}

/** One RGW, in memory, for all tests of a run; started when the first of them asks. */
export async function setup(project: TestProject): Promise<() => Promise<void>> {
  let rgw: Promise<TestRgw> | undefined;
  const starter = createServer((_, response) => {
    rgw ??= startRgw();
    void answer(rgw, response);
  });
  starter.listen(0, '127.0.0.1');
  await once(starter, 'listening');
  const address = starter.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  project.provide('rgwStarter', `http://127.0.0.1:${address.port}/`);
  return async () => {
    starter.close();
    starter.closeAllConnections();
    await (await rgw?.catch(() => undefined))?.stop();
  };
}

async function answer(rgw: Promise<TestRgw>, response: ServerResponse): Promise<void> {
  try {
    const { endpoint, accessKey, secretKey } = await rgw;
    response.end(JSON.stringify({ endpoint, accessKey, secretKey }));
  } catch (error) {
    response.writeHead(500).end(String(error));
  }
}
