import * as postgres from '../test/support/postgres.ts';
import * as rgw from '../test/support/rgw.ts';
import { stopWhenInterrupted } from './interrupt.ts';

/* As the tests have them; Ctrl-C stops them too. */

export async function startPostgres(): Promise<postgres.TestPostgres> {
  const started = await postgres.startPostgres();
  stopWhenInterrupted(() => started.stop());
  return started;
}

export async function startRgw(
  ...options: Parameters<typeof rgw.startRgw>
): ReturnType<typeof rgw.startRgw> {
  const started = await rgw.startRgw(...options);
  stopWhenInterrupted(() => started.stop());
  return started;
}
