import type { HttpClient } from './http-client.ts';
import { expectStatus, type Sample, startUpload } from './sample-content.ts';
import { createBucket, sharedRgw, type TestBucket } from './shared-rgw.ts';
import {
  createDatabase,
  type RegistryOptions,
  sql,
  startRegistry,
  type TestRegistry,
} from './test-registry.ts';

/** An empty database and an empty bucket, and registries on both. */
export interface S3Scene {
  readonly databaseUrl: string;
  readonly bucket: TestBucket;
  /** The lines of all registries. */
  readonly log: readonly string[];
  start(
    environment?: Readonly<Record<string, string>>,
    overrides?: RegistryOptions['overrides'],
  ): Promise<TestRegistry>;
  /** The keys that hold a blob's bytes, in order. */
  segmentsOf(blob: Sample): Promise<{ key: string; sizeBytes: number }[]>;
  close(): Promise<void>;
}

export async function openS3Scene(postgresUrl: string): Promise<S3Scene> {
  const databaseUrl = await createDatabase(postgresUrl);
  const bucket = await createBucket(await sharedRgw());
  const log: string[] = [];
  const registries: TestRegistry[] = [];
  const { endpoint = '' } = bucket.location;
  return {
    databaseUrl,
    bucket,
    log,
    start: async (environment = {}, overrides) => {
      const registry = await startRegistry({
        databaseUrl,
        directory: '/nonexistent',
        environment: {
          STORAGE_S3_BUCKET: bucket.name,
          STORAGE_S3_ENDPOINT: endpoint,
          ...environment,
        },
        onLogLine: (line) => log.push(line),
        ...(overrides && { overrides }),
      });
      registries.push(registry);
      return registry;
    },
    segmentsOf: ({ digest }) =>
      sql(
        databaseUrl,
        `select key, size_bytes::float8 as "sizeBytes" from blob_segments where digest = $1 order by number`,
        [digest],
      ),
    close: async () => {
      for (const registry of registries) await registry.close();
      await bucket.dispose();
    },
  };
}

/** A PATCH for each chunk, and a closing PUT. */
export async function pushInChunks(
  api: HttpClient,
  repository: string,
  { bytes, digest }: Sample,
  chunkBytes: number,
): Promise<void> {
  const path = await startUpload(api, repository);
  for (let from = 0; from < bytes.length; from += chunkBytes) {
    const body = bytes.subarray(from, from + chunkBytes);
    const headers = { 'Content-Range': `${from}-${from + body.length - 1}` };
    await expectStatus(api.send('PATCH', path, { body, headers }), 202);
  }
  await expectStatus(api.send('PUT', `${path}?digest=${digest}`), 201);
}
