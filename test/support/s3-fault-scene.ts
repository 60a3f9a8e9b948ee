import { GetObjectCommand, HeadObjectCommand } from '@aws-sdk/client-s3';
import { expect } from 'vitest';
import { REGISTRY_ID_KEY } from '../../src/storage/keys.ts';
import type { HttpClient } from './http-client.ts';
import { type LayerSizes, PersistentPusher } from './persistent-pusher.ts';
import { type S3Proxy, startS3Proxy } from './s3-proxy.ts';
import { openS3Scene, type S3Scene } from './s3-scene.ts';
import { digestOf, expectStatus, pushBlob, randomSample, type Sample } from './sample-content.ts';
import { sharedRgw } from './shared-rgw.ts';
import { StrictClient } from './strict-client.ts';
import { sql, type TestRegistry } from './test-registry.ts';
import { waitUntil } from './wait-until.ts';

/** Whatever S3 does: no answer may take longer. */
export const ANSWER_TIMEOUT_MS = 90_000;

/** An append counts as running for twice the idle time-out after its last byte. */
const SWEEP_AT_ONCE = {
  SWEEP_INTERVAL: '1',
  SWEEP_GRACE_HOURS: '0',
  HTTP_IDLE_TIMEOUT: '1',
  HTTP_MIN_RATE: '1',
};

/** A registry that reaches its bucket by a proxy that makes trouble. */
export interface S3FaultScene {
  readonly proxy: S3Proxy;
  readonly registry: TestRegistry;
  readonly api: HttpClient;
  readonly databaseUrl: string;
  readonly bucket: S3Scene['bucket'];
  /** Writes down answers that may not be; `end` looks. */
  readonly client: StrictClient;
  /** Clients that push images, until `end`. */
  startPushers(count: number, layers: LayerSizes): Promise<PersistentPusher[]>;
  /**
   * Ends the pushers, and proves that what was promised is there, that no row lacks its bytes, that nothing was answered
   * that may not be, and that a sweep leaves nothing that no row names.
   */
  end(): Promise<void>;
  /** Also after a failure. */
  close(): Promise<void>;
}

export interface S3FaultSceneOptions {
  readonly environment?: Readonly<Record<string, string>>;
  /** What the registry reaches the scene's database by, if not its own URL. */
  readonly databaseUrlOf?: (databaseUrl: string) => Promise<string>;
}

export async function openS3FaultScene(
  postgresUrl: string,
  { environment = {}, databaseUrlOf = async (url) => url }: S3FaultSceneOptions = {},
): Promise<S3FaultScene> {
  const proxy = await startS3Proxy((await sharedRgw()).endpoint);
  const scene = await openS3Scene(postgresUrl);
  const registry = await scene.start({
    DATABASE_URL: await databaseUrlOf(scene.databaseUrl),
    STORAGE_S3_ENDPOINT: proxy.endpoint,
    SHUTDOWN_TIMEOUT: '1',
    ...environment,
  });
  const load = new Load(registry);
  return {
    proxy,
    registry,
    api: registry.api,
    databaseUrl: scene.databaseUrl,
    bucket: scene.bucket,
    client: load.client,
    startPushers: (count, layers) => load.start(count, layers),
    end: async () => {
      await load.end();
      expect(load.client.violations).toEqual([]);
      expect(scene.log.filter((line) => line.includes('"status":500'))).toEqual([]);
      await expectRowsToHaveTheirBytes(scene);
      await registry.close();
      await expectSweepToLeaveNothing(scene);
      const fresh = await scene.start();
      await load.expectPromises(fresh.api);
    },
    close: async () => {
      await proxy.comeBack();
      await scene.close();
      await proxy.close();
    },
  };
}

class Load {
  readonly client: StrictClient;
  readonly #registry: TestRegistry;
  readonly #pushers: PersistentPusher[] = [];
  readonly #running: Promise<void>[] = [];
  #isOver = false;

  constructor(registry: TestRegistry) {
    this.#registry = registry;
    this.client = new StrictClient(registry.url, ANSWER_TIMEOUT_MS);
  }

  async start(count: number, layers: LayerSizes): Promise<PersistentPusher[]> {
    const mountable = { repository: 'faults/stock', blob: randomSample(1000) };
    await pushBlob(this.#registry.api, mountable.repository, mountable.blob);
    const pushers = Array.from({ length: count }, (_, number) => {
      const id = this.#pushers.length + number;
      return new PersistentPusher(this.client, id, mountable, layers);
    });
    this.#pushers.push(...pushers);
    for (const pusher of pushers) {
      const running = pusher.pushUntil(() => this.#isOver);
      running.catch(() => undefined);
      this.#running.push(running);
    }
    return pushers;
  }

  async end(): Promise<void> {
    this.#isOver = true;
    await Promise.all(this.#running);
  }

  async expectPromises(api: HttpClient): Promise<void> {
    for (const { path, digest } of this.#pushers.flatMap(({ promised }) => promised)) {
      const { body } = await expectStatus(api.send('GET', path), 200);
      expect(digestOf(body)).toBe(digest);
    }
  }
}

/** Resolves when each has pushed so many images more. */
export async function untilPushed(
  pushers: readonly PersistentPusher[],
  more: number,
  timeoutMs = 400_000,
): Promise<void> {
  const goals = pushers.map(({ images }) => images + more);
  const isReached = () => pushers.every(({ images }, n) => images >= (goals[n] ?? 0));
  await waitUntil('each pusher to go on', isReached, timeoutMs);
}

/** Reads around the registry. */
async function expectRowsToHaveTheirBytes({ bucket, databaseUrl }: S3Scene): Promise<void> {
  const { client, name: Bucket } = bucket;
  const segments = await sql<{ key: string; size: number }>(
    databaseUrl,
    `select key, size_bytes::float8 as size from blob_segments
     union all select key, size_bytes::float8 from upload_segments`,
  );
  for (const { key: Key, size } of segments) {
    const head = await client.send(new HeadObjectCommand({ Bucket, Key }));
    expect([Key, head.ContentLength]).toEqual([Key, size]);
  }
  const blobs = await sql<{ digest: string; keys: string[] }>(
    databaseUrl,
    `select digest, array(select key from blob_segments s where s.digest = b.digest order by number) as keys
     from blobs b`,
  );
  for (const { digest, keys } of blobs) {
    const parts: Uint8Array[] = [];
    for (const Key of keys) {
      const { Body } = await client.send(new GetObjectCommand({ Bucket, Key }));
      parts.push((await Body?.transformToByteArray()) ?? new Uint8Array(0));
    }
    expect(digestOf(Buffer.concat(parts))).toBe(digest);
  }
}

/** What a compaction has replaced stays on the list for a day, and is named there. */
async function expectSweepToLeaveNothing(scene: S3Scene): Promise<void> {
  const sweeping = await scene.start(SWEEP_AT_ONCE);
  const namedKeys = async () => {
    const rows = await sql<{ key: string }>(
      scene.databaseUrl,
      `select key from blob_segments union select key from upload_segments
       union select key from deletions where since > now() + interval '1 h'`,
    );
    return [REGISTRY_ID_KEY, ...rows.map(({ key }) => key)].toSorted();
  };
  const left = async () => {
    const named = new Set(await namedKeys());
    const objects = (await scene.bucket.listObjects()).filter((key) => !named.has(key));
    return [...objects, ...(await scene.bucket.listUploads())];
  };
  await waitUntil('a sweep', async () => (await left()).length === 0).catch(async () => {
    expect(await left()).toEqual([]);
  });
  const objects = new Set(await scene.bucket.listObjects());
  expect((await namedKeys()).filter((key) => !objects.has(key))).toEqual([]);
  await sweeping.close();
}

/** As a reader sees it. */
export async function expectBlob(
  api: HttpClient,
  repository: string,
  { bytes, digest }: Sample,
): Promise<void> {
  const { body } = await expectStatus(api.send('GET', `/v2/${repository}/blobs/${digest}`), 200);
  expect(body.equals(bytes)).toBe(true);
}
