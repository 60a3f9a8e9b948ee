import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { startChild } from './child.ts';

/** A client, as a process, that asks for /v2/ every 5 ms. */
export interface Ping {
  /** Ends it. @returns all latencies, in ms. */
  stop(): Promise<number[]>;
}

const CLIENT = fileURLToPath(new URL('./ping-client.ts', import.meta.url));
const LATENCIES = z.array(z.number());

/** @returns once the first answer is there. */
export async function startPing(url: string): Promise<Ping> {
  const child = startChild(
    process.execPath,
    ['--import', import.meta.resolve('tsx'), CLIENT, url],
    {
      PATH: process.env['PATH'] ?? '',
    },
  );
  await child.line(/^ready$/);
  return {
    async stop() {
      process.kill(child.pid, 'SIGTERM');
      const text = await child.line(/^\[/);
      await child.stop();
      return LATENCIES.parse(JSON.parse(text));
    },
  };
}
