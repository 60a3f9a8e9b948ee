import { setTimeout as delay } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { openIngestPool } from '../../src/workers/ingest-pool.ts';
import { alterCommits } from '../support/altered-commits.ts';
import { HttpClient } from '../support/http-client.ts';
import { expectStatus, pushBlob, randomSample, startUpload } from '../support/sample-content.ts';
import { useServers } from '../support/server-fixture.ts';
import { startRegistry } from '../support/test-registry.ts';
import { waitUntil } from '../support/wait-until.ts';

const MIB = 1024 * 1024;
/** What a server takes in at once: all of it has arrived when its append has begun. */
const SENT_BYTES = 64 * 1024 + 5;

const fixture = useServers();

interface Running {
  readonly server: { metric(name: string): Promise<number> };
  readonly api: HttpClient;
}

async function beginAppend({ server, api }: Running, bytes: Buffer) {
  const path = await startUpload(api, 'faults/shutdown');
  const append = api.open('PATCH', path);
  await append.write(bytes);
  await waitUntil('the append to begin', async () => {
    return (await server.metric('pierone_active_appends')) === 1;
  });
  return { path, append };
}

/** Nothing is accepted any more. */
async function isClosed(api: HttpClient): Promise<boolean> {
  return api.send('GET', '/v2/').then(
    () => false,
    () => true,
  );
}

test('SIGTERM lets an upload end, within SHUTDOWN_TIMEOUT', async () => {
  const blob = randomSample(2 * MIB);
  const running = await fixture.start({ SHUTDOWN_TIMEOUT: '60' });
  const { path, append } = await beginAppend(running, blob.bytes.subarray(0, MIB));
  const stopped = running.server.stop();
  await waitUntil('the port to close', () => isClosed(running.api));
  append.end(blob.bytes.subarray(MIB));
  expect((await append.answer).status).toBe(202);
  expect(await stopped).toBe(0);
  const { api } = await fixture.start();
  await expectStatus(api.send('PUT', `${path}?digest=${blob.digest}`), 201);
});

test('a second signal ends it at once, whatever is running', async () => {
  const running = await fixture.start({ SHUTDOWN_TIMEOUT: '3600' });
  const { append } = await beginAppend(running, randomSample(MIB).bytes);
  const stopped = running.server.stop();
  await waitUntil('the port to close', () => isClosed(running.api));
  process.kill(running.server.pid, 'SIGTERM');
  expect(await stopped).toBe(1);
  await expect(append.answer).rejects.toThrow();
});

test.each([
  ['a body that stopped arriving', false],
  ['a body that is still arriving', true],
])(
  'at the end of SHUTDOWN_TIMEOUT %s is cut, and what came of it is kept',
  async (_, isArriving) => {
    const blob = randomSample(16 * MIB);
    const running = await fixture.start({ SHUTDOWN_TIMEOUT: '1' });
    const { path, append } = await beginAppend(running, blob.bytes.subarray(0, SENT_BYTES));
    const stopped = running.server.stop();
    const last = isArriving ? blob.bytes.length : 0;
    // Ends when the connection is cut.
    for (let sent = SENT_BYTES; sent < last; sent += 64 * 1024) {
      const piece = blob.bytes.subarray(sent, sent + 64 * 1024);
      const isSent = await append.write(piece).then(
        () => true,
        () => false,
      );
      if (!isSent) break;
    }
    await expect(append.answer).rejects.toThrow();
    expect(await stopped).toBe(0);
    const { api } = await fixture.start();
    const status = await expectStatus(api.send('GET', path), 204);
    const kept = Number(status.headers['range']?.slice(2)) + 1;
    expect(kept).toBeGreaterThanOrEqual(SENT_BYTES);
    await expectStatus(api.send('PATCH', path, { body: blob.bytes.subarray(kept) }), 202);
    await expectStatus(api.send('PUT', `${path}?digest=${blob.digest}`), 201);
  },
);

test('what a cut client sent is kept also when the database is slow', async () => {
  const options = { databaseUrl: fixture.databaseUrl, directory: fixture.storage.path };
  const blob = randomSample(2 * MIB);
  let commits = 0;
  const registry = await startRegistry({
    ...options,
    environment: { SHUTDOWN_TIMEOUT: '0' },
    overrides: {
      openIngest: (ingestOptions) =>
        alterCommits(openIngestPool(ingestOptions), async (commit) => {
          // Stands for a COMMIT that takes its time.
          await delay(1000);
          await commit();
          commits += 1;
        }),
    },
  });
  const running = { server: registry, api: registry.api };
  const { path, append } = await beginAppend(running, blob.bytes.subarray(0, SENT_BYTES));
  await registry.close();
  await expect(append.answer).rejects.toThrow();
  expect(commits).toBe(1);
  const next = await startRegistry(options);
  try {
    const status = await expectStatus(next.api.send('GET', path), 204);
    expect(status.headers['range']).toBe(`0-${SENT_BYTES - 1}`);
  } finally {
    await next.close();
  }
});

test('SIGTERM while PostgreSQL hangs ends the server all the same', async () => {
  const running = await fixture.start();
  // It has connections that nobody will confirm the end of.
  const blob = randomSample(100);
  await pushBlob(running.api, 'faults/hang', blob);
  const goOn = await fixture.postgres.freeze();
  try {
    expect(await running.server.stop()).toBe(0);
  } finally {
    goOn();
  }
  const { api } = await fixture.start();
  await expectStatus(api.send('GET', `/v2/faults/hang/blobs/${blob.digest}`), 200);
});
