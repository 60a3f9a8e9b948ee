import { createHash } from 'node:crypto';
import { readFile, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { HttpClient } from '../support/http-client.ts';
import { PersistentPusher, type Promised } from '../support/persistent-pusher.ts';
import type { TestPostgres } from '../support/postgres.ts';
import {
  digestOf,
  expectStatus,
  imageOf,
  pushBlob,
  putManifest,
  randomSample,
  type Sample,
} from '../support/sample-content.ts';
import { useServers } from '../support/server-fixture.ts';
import { StrictClient } from '../support/strict-client.ts';
import { sql } from '../support/test-registry.ts';
import { waitUntil } from '../support/wait-until.ts';

const PUSHERS = 8;
const PULLERS = 4;
const STOCKED_IMAGES = 400;
const PULL_PAUSE_MS = 30;
const OUTAGE_MS = 8_000;
/** Longer than a connection is waited for, and a client's silence. */
const SHORT_HANG_MS = 12_000;
/** Longer than a statement may take. */
const LONG_HANG_MS = 40_000;
/** Older than an append that is running can be. */
const OLD_MS = 600_000;
const TEST_TIMEOUT_MS = 600_000;

const fixture = useServers();

interface Stock {
  readonly blob: Sample;
  /** Paths that were pulled before. */
  readonly cached: readonly Promised[];
  /** Paths that were never pulled; each is taken once. */
  readonly fresh: Promised[];
}

/** What pullers find: an image that is in the caches, and many that aren't. */
async function fillStock(api: HttpClient): Promise<Stock> {
  const blob = randomSample(100_000);
  await pushBlob(api, 'load/stock', blob);
  const path = '/v2/load/stock/manifests/';
  const fresh: Promised[] = [];
  for (let number = 0; number <= STOCKED_IMAGES; number += 1) {
    const image = imageOf(blob, [], String(number));
    await expectStatus(putManifest(api, 'load/stock', `1.${number}`, image), 201);
    const reference = number % 2 === 0 ? `1.${number}` : image.digest;
    fresh.push({ path: path + reference, digest: image.digest });
  }
  const { digest } = fresh.shift() ?? { digest: '' };
  const cached = [
    { path: `${path}1.0`, digest },
    { path: path + digest, digest },
    { path: `/v2/load/stock/blobs/${blob.digest}`, digest: blob.digest },
  ];
  for (const { path: known } of cached) await expectStatus(api.send('GET', known), 200);
  return { blob, cached, fresh };
}

/** Pushers and pullers over one client that writes down what may not be. */
class Load {
  readonly client: StrictClient;
  readonly pushers: readonly PersistentPusher[];
  /** Set by the test: what is cached must be answered by 200 all the same. */
  isDatabaseAway = false;
  cachedPullsWhileAway = 0;
  readonly #stock: Stock;
  readonly #running: Promise<void>;
  #isOver = false;

  constructor(url: string, stock: Stock) {
    this.client = new StrictClient(url);
    this.#stock = stock;
    const mountable = { repository: 'load/stock', blob: stock.blob };
    this.pushers = Array.from(
      { length: PUSHERS },
      (_, number) => new PersistentPusher(this.client, number, mountable),
    );
    const pushes = this.pushers.map((pusher) => pusher.pushUntil(() => this.#isOver));
    const pulls = Array.from({ length: PULLERS }, (_, n) => this.#pull(n % 2 === 0));
    this.#running = Promise.all([...pushes, ...pulls]).then(() => undefined);
    this.#running.catch(() => undefined);
  }

  /** Resolves when each pusher has pushed so many images more. */
  untilPushed(more: number): Promise<unknown> {
    const goals = this.pushers.map(({ images }) => images + more);
    const isReached = () => {
      expect(this.client.violations).toEqual([]);
      return this.pushers.every(({ images }, n) => images >= (goals[n] ?? 0));
    };
    const reached = waitUntil('each pusher to go on', isReached);
    return Promise.race([reached, this.#running]);
  }

  /** Lets everything that was begun come to its end. */
  end(): Promise<void> {
    this.#isOver = true;
    return this.#running;
  }

  /** Who asks for what must be looked up may have to wait; who pulls what is cached never does. */
  async #pull(isCached: boolean): Promise<void> {
    while (!this.#isOver) {
      if (isCached) await this.#pullCached();
      else await this.#pullOther();
      await delay(PULL_PAUSE_MS);
    }
  }

  async #pullCached(): Promise<void> {
    for (const content of this.#stock.cached) {
      const wasAway = this.isDatabaseAway;
      const answer = await this.client.send('GET', content.path, 200);
      if (!answer) this.client.violations.push(`${content.path} is cached, and was not served`);
      else this.#checkBytes(content, answer.body);
      if (answer && wasAway && this.isDatabaseAway) this.cachedPullsWhileAway += 1;
    }
  }

  async #pullOther(): Promise<void> {
    await this.client.send('GET', '/v2/load/stock/manifests/missing', 404);
    const next = this.#stock.fresh.shift();
    if (!next) return;
    const answer = await this.client.send('GET', next.path, 200);
    if (answer) this.#checkBytes(next, answer.body);
    else this.#stock.fresh.push(next);
  }

  #checkBytes({ path, digest }: Promised, body: Buffer): void {
    if (digestOf(body) !== digest) this.client.violations.push(`${path}: other bytes`);
  }
}

interface BlobRow {
  readonly digest: string;
  readonly keys: string[];
}

async function expectBlobsToHaveTheirBytes(): Promise<void> {
  const blobs = await sql<BlobRow>(
    fixture.databaseUrl,
    `select digest, array(select key from blob_segments s where s.digest = b.digest order by number) as keys
     from blobs b`,
  );
  for (const { digest, keys } of blobs) {
    const hash = createHash('sha256');
    for (const key of keys) hash.update(await readFile(join(fixture.storage.path, key)));
    expect(`sha256:${hash.digest('hex')}`).toBe(digest);
  }
}

/** Every object that is left is named by a row, once the sweeper has seen them all. */
async function untilOnlyNamedObjectsAreLeft(): Promise<void> {
  const old = new Date(Date.now() - OLD_MS);
  for (const key of await fixture.storage.keys()) {
    await utimes(join(fixture.storage.path, key), old, old).catch(() => undefined);
  }
  const rows = await sql<{ key: string }>(
    fixture.databaseUrl,
    'select key from blob_segments union select key from upload_segments',
  );
  const named = rows.map(({ key }) => key).toSorted();
  await waitUntil('a sweep', async () => (await fixture.storage.keys()).join() === named.join());
}

async function shutDownForAWhile(postgres: TestPostgres): Promise<void> {
  await postgres.shutDown();
  await delay(OUTAGE_MS);
  await postgres.start();
}

async function killForAWhile(postgres: TestPostgres): Promise<void> {
  await postgres.kill();
  await delay(OUTAGE_MS);
  await postgres.start();
}

async function freezeFor(postgres: TestPostgres, pauseMs: number): Promise<void> {
  const goOn = await postgres.freeze();
  await delay(pauseMs);
  goOn();
}

test.each([
  ['is shut down', shutDownForAWhile, 1],
  ['is killed', killForAWhile, 1],
  // Most requests just wait.
  ['hangs for seconds', (postgres: TestPostgres) => freezeFor(postgres, SHORT_HANG_MS), 0],
  ['hangs for long', (postgres: TestPostgres) => freezeFor(postgres, LONG_HANG_MS), 1],
])(
  'PostgreSQL %s under load: 503 or the right answer, and all that was promised is there',
  async (_, breakForAWhile, leastUnavailable) => {
    const { server, api } = await fixture.start({ SWEEP_INTERVAL: '1', SWEEP_GRACE_HOURS: '0' });
    const load = new Load(server.url, await fillStock(api));
    await load.untilPushed(3);
    load.isDatabaseAway = true;
    await breakForAWhile(fixture.postgres);
    load.isDatabaseAway = false;
    await load.untilPushed(3);
    await load.end();
    expect(load.client.violations).toEqual([]);
    expect(load.client.unavailable).toBeGreaterThanOrEqual(leastUnavailable);
    expect(load.cachedPullsWhileAway).toBeGreaterThan(0);
    expect(server.log.filter((line) => line['status'] === 500)).toEqual([]);

    const fresh = new HttpClient((await fixture.start()).server.url);
    for (const { path, digest } of load.pushers.flatMap(({ promised }) => promised)) {
      for (const client of [api, fresh]) {
        const { body } = await expectStatus(client.send('GET', path), 200);
        expect(digestOf(body)).toBe(digest);
      }
    }
    await expectBlobsToHaveTheirBytes();
    await untilOnlyNamedObjectsAreLeft();
    expect(await server.stop()).toBe(0);
  },
  TEST_TIMEOUT_MS,
);
