import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startPostgres, type TestPostgres } from '../support/postgres.ts';
import {
  expectBlob,
  openS3FaultScene,
  type S3FaultScene,
  untilPushed,
} from '../support/s3-fault-scene.ts';
import type { PlannedFault } from '../support/s3-proxy.ts';
import { expectStatus, pushBlob, randomSample, startUpload } from '../support/sample-content.ts';
import { waitUntil } from '../support/wait-until.ts';

const MIB = 1024 * 1024;
const SMALL = { minBytes: 1000, maxBytes: 100_000 };
/** Each in several parts of S3. */
const LARGE = { minBytes: 20 * MIB, maxBytes: 32 * MIB };
const DELAY = { kind: 'delay-answer', ms: 30_000 } as const;
const OUTAGE_MS = 60_000;
const TEST_TIMEOUT_MS = 600_000;

let postgres: TestPostgres;

beforeAll(async () => {
  postgres = await startPostgres();
});

afterAll(() => postgres?.stop());

/** A test with a scene of its own; all of them mostly wait. */
function faultTest(
  name: string,
  work: (scene: S3FaultScene) => Promise<void>,
  environment: Readonly<Record<string, string>> = {},
): void {
  test.concurrent(
    name,
    async () => {
      const scene = await openS3FaultScene(postgres.url, { environment });
      try {
        await work(scene);
        await scene.end();
      } finally {
        await scene.close();
      }
    },
    TEST_TIMEOUT_MS,
  );
}

async function startPushers(scene: S3FaultScene) {
  return [...(await scene.startPushers(2, SMALL)), ...(await scene.startPushers(2, LARGE))];
}

/** Pulls a blob of several parts until `isOver`; what is cut goes on, as clients do. */
async function pullUntil(scene: S3FaultScene, isOver: () => boolean): Promise<void> {
  const blob = randomSample(20 * MIB);
  await pushBlob(scene.api, 'faults/pulled', blob);
  while (!isOver()) {
    const answer = await scene.client.send('GET', `/v2/faults/pulled/blobs/${blob.digest}`, 200);
    if (answer && !answer.body.equals(blob.bytes)) throw new Error('other bytes were pulled');
    await delay(200);
  }
}

/** Each plan has come true so often. */
async function untilHappened(faults: readonly PlannedFault[], times: number): Promise<void> {
  await waitUntil('faults', () => faults.every((fault) => fault.count() >= times), TEST_TIMEOUT_MS);
}

describe('S3 that', () => {
  faultTest('resets connections now and then is not noticed by clients', async (scene) => {
    const { proxy, client } = scene;
    let isOver = false;
    const pulls = pullUntil(scene, () => isOver);
    const pushers = await startPushers(scene);
    const faults = [
      proxy.plan({ kind: 'reset-before' }, { every: 9 }),
      proxy.plan({ kind: 'lose-answer' }, { every: 7 }),
      proxy.plan({ kind: 'lose-answer' }, { operation: 'CompleteMultipartUpload', every: 2 }),
      proxy.plan({ kind: 'reset-upload', afterBytes: MIB }, { operation: 'UploadPart', every: 4 }),
      proxy.plan(
        { kind: 'reset-download', afterBytes: MIB },
        {
          fits: ({ path, operation }) => operation === 'GetObject' && !path.endsWith('id'),
          every: 2,
        },
      ),
    ];
    await untilHappened(faults, 3);
    await untilPushed(pushers, 2);
    isOver = true;
    await pulls;
    expect(client.unavailable).toBe(0);
  });

  faultTest('answers each third request with SlowDown is not noticed by clients', async (scene) => {
    const { proxy, client } = scene;
    const slowDown = proxy.plan({ kind: 'slow-down' }, { every: 3 });
    let isOver = false;
    const pulls = pullUntil(scene, () => isOver);
    const pushers = await startPushers(scene);
    await untilHappened([slowDown], 40);
    await untilPushed(pushers, 2);
    isOver = true;
    await pulls;
    expect(client.unavailable).toBe(0);
  });

  faultTest('takes 30 s for each answer leads to success or 503', async (scene) => {
    const { proxy, client } = scene;
    const pushers = await startPushers(scene);
    await untilPushed(pushers, 1);
    const late = proxy.plan(DELAY);
    await waitUntil('clients to be refused', () => client.unavailable > 0, TEST_TIMEOUT_MS);
    late.end();
    await untilPushed(pushers, 2);
    expect(late.count()).toBeGreaterThan(10);
  });

  for (const operation of [
    'CreateMultipartUpload',
    'UploadPart',
    'CompleteMultipartUpload',
    'PutObject',
    'GetObject',
  ]) {
    faultTest(`takes 30 s for the answer to ${operation} is waited for`, async (scene) => {
      const { proxy, api, client } = scene;
      const small = randomSample(1000);
      const large = randomSample(24 * MIB);
      const late = proxy.plan(DELAY, { operation, fits: ({ path }) => !path.endsWith('id') });
      const pull = async (blob: typeof small) => {
        const path = `/v2/faults/late/blobs/${blob.digest}`;
        expect((await client.send('GET', path, 200))?.body.equals(blob.bytes)).toBe(true);
      };
      const push = async (blob: typeof small) => {
        await pushBlob(api, 'faults/late', blob);
        await pull(blob);
      };
      await Promise.all([push(small), push(large)]);
      expect(late.count()).toBeGreaterThan(0);
      late.end();
    });
  }

  faultTest('is gone for a minute in mid-upload leads to success or 503', async (scene) => {
    const { proxy, api, client } = scene;
    const blob = randomSample(40 * MIB);
    const path = await startUpload(api, 'faults/gone');
    const append = api.open('PATCH', path);
    await append.write(blob.bytes.subarray(0, 20 * MIB));
    await waitUntil('parts', () =>
      proxy.requests.some(({ operation }) => operation === 'UploadPart'),
    );
    const pushers = await startPushers(scene);
    await untilPushed(pushers, 1);
    await proxy.vanish();
    append.end(blob.bytes.subarray(20 * MIB));
    await delay(OUTAGE_MS);
    await proxy.comeBack();
    const { status } = await append.answer;
    expect([202, 503]).toContain(status);
    // Parts that S3 lost still hold memory for a while, and refuse those that wait for it.
    await waitUntil('the rest to be stored', async () => {
      const offset = await client.statusOf(path);
      if (typeof offset !== 'number') return false;
      if (offset === blob.bytes.length) return true;
      return client.send('PATCH', path, 202, { body: blob.bytes.subarray(offset) });
    });
    for (let repeated = 0; repeated < 2; repeated += 1) {
      await expectStatus(api.send('PUT', `${path}?digest=${blob.digest}`), 201);
    }
    await expectBlob(api, 'faults/gone', blob);
    await untilPushed(pushers, 2);
  });

  faultTest('is gone at the commit is not needed: 201, also repeated', async (scene) => {
    const { proxy, api } = scene;
    const blobs = [randomSample(1000), randomSample(24 * MIB)];
    const paths = await Promise.all(
      blobs.map(async ({ bytes: body }) => {
        const path = await startUpload(api, 'faults/commit');
        await expectStatus(api.send('PATCH', path, { body }), 202);
        return path;
      }),
    );
    await proxy.vanish();
    for (const [n, { digest }] of blobs.entries()) {
      for (let repeated = 0; repeated < 2; repeated += 1) {
        await expectStatus(api.send('PUT', `${paths[n]}?digest=${digest}`), 201);
      }
    }
    await proxy.comeBack();
    for (const blob of blobs) await expectBlob(api, 'faults/commit', blob);
  });
});
