import { expect, test } from 'vitest';
import { execute } from '../support/process-runner.ts';

const POOL = new URL('../../dist/workers/ingest-pool.js', import.meta.url).href;
/** Its threads load within some 130 ms, the native library last. */
const PAUSES_MS = [0, 40, 80, 90, 100, 105, 110, 115, 120, 125, 130, 140, 150, 200];

/** A process that opens a pool, does `work` with it and closes it: what it dies of takes no test with it. */
function closeAfter(work: string) {
  const program = `
    import { setTimeout as delay } from 'node:timers/promises';
    import { openIngestPool } from '${POOL}';
    const threads = [];
    process.on('worker', (thread) => threads.push(thread));
    const pool = openIngestPool({
      store: { kind: 'file', directory: '/nowhere' },
      threads: 2,
      bufferMemoryBytes: 64 * 1024 ** 2,
      bufferMemoryPerUploadBytes: 16 * 1024 ** 2,
      onWorkerDeath() {},
    });
    ${work}
    await pool.close();`;
  return execute(process.execPath, ['--input-type=module', '--eval', program]);
}

const endsInPeace = { exitCode: 0, screen: '' };

test.each(PAUSES_MS)('a pool that is closed %i ms after it was opened', async (pauseMs) => {
  expect(await closeAfter(`await delay(${pauseMs});`)).toMatchObject(endsInPeace);
});

test.each(PAUSES_MS)('a pool that is closed %i ms after its threads died', async (pauseMs) => {
  const work = `
    await delay(1);
    await Promise.all(threads.map((thread) => new Promise((resolve) => thread.once('message', resolve))));
    await Promise.all(threads.map((thread) => thread.terminate()));
    await delay(${pauseMs});`;
  expect(await closeAfter(work)).toMatchObject(endsInPeace);
});
