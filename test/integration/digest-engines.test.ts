import { setTimeout as delay } from 'node:timers/promises';
import { expect, test } from 'vitest';
import type { DigestPlan } from '../../src/workers/ingest.ts';
import { openIngestPool } from '../../src/workers/ingest-pool.ts';
import type { HttpClient } from '../support/http-client.ts';
import { digestOf, expectStatus, randomSample, startUpload } from '../support/sample-content.ts';
import { SeededRandom } from '../support/seeded-random.ts';
import type { ServerProcess } from '../support/server.ts';
import { useServers } from '../support/server-fixture.ts';
import { sql } from '../support/test-registry.ts';
import { waitUntil } from '../support/wait-until.ts';

const CHUNK_BYTES = 70_001;
const CHUNKS = 8;
/** As where koffi has no binary: no native code is loaded but what Node.js has in it. */
const WITHOUT_KOFFI = { NODE_OPTIONS: '--no-addons', HTTP_TRANSPORT: 'node', WORKER_THREADS: '2' };

const fixture = useServers();

/** Pushes a blob by chunks, each to the next of the instances. */
async function pushByTurns(instances: readonly HttpClient[], algorithm: 'sha256' | 'sha512') {
  const { bytes } = randomSample(CHUNKS * CHUNK_BYTES);
  const [first, last] = [instances.at(0), instances.at(-1)];
  if (!first || !last) throw new Error('no instance');
  const start = `/v2/engines/turns/blobs/uploads/?digest-algorithm=${algorithm}`;
  const path = (await expectStatus(first.send('POST', start), 202)).headers['location'] ?? '';
  for (let n = 0; n < CHUNKS; n += 1) {
    const [from, to] = [n * CHUNK_BYTES, (n + 1) * CHUNK_BYTES];
    const headers = { 'Content-Range': `${from}-${to - 1}` };
    const api = instances[n % instances.length] ?? first;
    const body = bytes.subarray(from, to);
    await expectStatus(api.send('PATCH', path, { headers, body }), 202);
  }
  const digest = digestOf(bytes, algorithm);
  await expectStatus(last.send('PUT', `${path}?digest=${digest}`), 201);
}

/** What the engines of a server have digested, as soon as its threads have told of `bytes`. */
async function digestedBy(server: ServerProcess, bytes: number): Promise<Record<string, number>> {
  return waitUntil('the threads to tell', async () => {
    const text = await (await fetch(`${server.managementUrl}/metrics`)).text();
    const lines = text.matchAll(/^pierone_digested_bytes_total\{engine="([^"]+)"\} (\d+)$/gm);
    const byEngine = [...lines].map(([, engine = '', count]) => [engine, Number(count)] as const);
    const sum = byEngine.reduce((total, [, count]) => total + count, 0);
    return sum === bytes && Object.fromEntries(byEngine);
  });
}

const warningsOf = ({ log }: ServerProcess) => log.filter(({ level }) => level === 'warn');

test('an instance that cannot call OpenSSL shares uploads with one that can, and warns once', async () => {
  const [fast, slow] = await Promise.all([fixture.start(), fixture.start(WITHOUT_KOFFI)]);
  const blobs = 6;
  await Promise.all(
    Array.from({ length: blobs }, (_, n) =>
      pushByTurns([fast.api, slow.api], n % 2 === 0 ? 'sha256' : 'sha512'),
    ),
  );
  const half = (blobs * CHUNKS * CHUNK_BYTES) / 2;
  expect(await digestedBy(fast.server, half)).toEqual({ 'openssl-resumable': half });
  expect(await digestedBy(slow.server, half)).toEqual({ wasm: half });
  for (const { server } of [fast, slow]) {
    expect(await server.metric('pierone_reread_bytes_total')).toBe(0);
  }
  expect(warningsOf(fast.server)).toEqual([]);
  expect(warningsOf(slow.server)).toEqual([
    expect.objectContaining({
      reason: expect.stringContaining('loading addons is disabled'),
      msg: 'OpenSSL cannot be called here: digesting chunked uploads by the slower hash-wasm',
    }),
  ]);
});

test.each([
  ['another engine', `digest_engine = 'openssl-9'`],
  ['another build', `digest_state = set_byte(digest_state, 0, 0)`],
  ['another length', `digest_state = substr(digest_state, 2)`],
])('a saved state of %s is refused, and the bytes are read again', async (_, change) => {
  const { server, api } = await fixture.start();
  const { bytes, digest } = randomSample(2 * CHUNK_BYTES);
  const path = await startUpload(api, 'engines/states');
  const append = (from: number, to: number) => {
    const headers = { 'Content-Range': `${from}-${to - 1}` };
    const body = bytes.subarray(from, to);
    return expectStatus(api.send('PATCH', path, { headers, body }), 202);
  };
  await append(0, CHUNK_BYTES);
  const changed = await sql(fixture.databaseUrl, `update uploads set ${change} returning id`);
  expect(changed).toHaveLength(1);
  await append(CHUNK_BYTES, 2 * CHUNK_BYTES);
  await expectStatus(api.send('PUT', `${path}?digest=${digest}`), 201);
  expect(await server.metric('pierone_reread_bytes_total')).toBe(bytes.length);
});

test('threads may be ended while they start, and while their first chunk comes', async () => {
  const random = new SeededRandom(11);
  const plan: DigestPlan = { kind: 'resumable', algorithm: 'sha256', from: undefined };
  for (let round = 0; round < 20; round += 1) {
    const pool = openIngestPool({
      store: { kind: 'file', directory: fixture.storage.path },
      threads: 2,
      bufferMemoryBytes: 2 ** 24,
      bufferMemoryPerUploadBytes: 2 ** 22,
      onWorkerDeath: () => undefined,
    });
    // Those of every other round have loaded what digests.
    if (round % 2 === 0) await pool.ping();
    const appends = [1, 2, 3, 4].map(() => pool.append(requestOf(plan)));
    const ended = Promise.allSettled(appends);
    await delay(random.integer(0, 25));
    await pool.close();
    // And this process goes on.
    expect(await ended).toHaveLength(appends.length);
  }
});

function requestOf(plan: DigestPlan) {
  const source = {
    announcedBytes: undefined,
    deliverTo: async (sink: (chunk: Uint8Array) => void) => {
      sink(new Uint8Array(1000));
      return 'complete' as const;
    },
    pause() {},
    resume() {},
  };
  return { source, plan, expectedBytes: undefined, commit: async () => undefined };
}
