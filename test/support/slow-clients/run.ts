import { fileURLToPath } from 'node:url';
import { run } from '../process-runner.ts';
import type { SlowClientsPlan, SlowClientsReport } from './plan.ts';

const MAIN = fileURLToPath(new URL('./main.ts', import.meta.url));
const ROOT = fileURLToPath(new URL('../../..', import.meta.url));
/** For the bytes that are read at full speed, and heads that wait for their cut. */
const ALLOWANCE_MS = 300_000;

/** All of them in one process of their own, until each has ended. */
export async function runSlowClients(plan: SlowClientsPlan): Promise<SlowClientsReport> {
  const { stdout } = await run(process.execPath, ['--import', 'tsx', MAIN, JSON.stringify(plan)], {
    cwd: ROOT,
    timeoutMs: plan.seconds * 1000 + ALLOWANCE_MS,
  });
  const report: SlowClientsReport = JSON.parse(stdout);
  return report;
}
