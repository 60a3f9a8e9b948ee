import { randomUUID } from 'node:crypto';
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3';
import { startS3Proxy } from '../test/support/s3-proxy.ts';
import { createDatabase } from '../test/support/test-registry.ts';
import { type Registry, startOurs, startPeer } from './registries.ts';
import { startPostgres, startRgw } from './services.ts';

/** Like a bucket in a region that isn't far: each request takes longer, and a connection carries so much. */
const DISTANCE = { latencyMs: 30, bytesPerSecond: 90_000_000 };
const REGION = 'us-east-1';

/** An S3 server on disk, and registries that keep their layers in it, each in a bucket of its own. */
export interface S3Place {
  startOurs(
    environment: Readonly<Record<string, string>>,
    nodeArguments?: readonly string[],
  ): Promise<Registry>;
  startPeer(): Promise<Registry>;
  stop(): Promise<void>;
}

/** @param isDistant between registry and S3 lies a proxy that makes S3 as slow as a real one */
export async function openS3Place(isDistant: boolean): Promise<S3Place> {
  const rgw = await startRgw({ store: 'disk', sizeBytes: 48 * 1024 ** 3 });
  const postgres = await startPostgres();
  const proxy = isDistant ? await startS3Proxy(rgw.endpoint, DISTANCE) : undefined;
  const { accessKey: accessKeyId, secretKey: secretAccessKey } = rgw;
  const credentials = { accessKeyId, secretAccessKey };
  const endpoint = proxy?.endpoint ?? rgw.endpoint;
  const client = new S3Client({
    endpoint: rgw.endpoint,
    region: REGION,
    forcePathStyle: true,
    credentials,
  });
  const makeBucket = async () => {
    const bucket = `bench-${randomUUID()}`;
    await client.send(new CreateBucketCommand({ Bucket: bucket }));
    return bucket;
  };
  return {
    startOurs: async (environment, nodeArguments = []) =>
      startOurs({
        nodeArguments,
        environment: {
          DATABASE_URL: await createDatabase(postgres.url),
          STORAGE_S3_BUCKET: await makeBucket(),
          STORAGE_S3_ENDPOINT: endpoint,
          STORAGE_S3_REGION: REGION,
          // As it is by default with https: RGW is spoken to in plain HTTP here, as by the peer.
          STORAGE_S3_SIGN_PAYLOAD: 'false',
          AWS_ACCESS_KEY_ID: accessKeyId,
          AWS_SECRET_ACCESS_KEY: secretAccessKey,
          ...environment,
        },
      }),
    startPeer: async () =>
      startPeer({
        s3: {
          accesskey: accessKeyId,
          secretkey: secretAccessKey,
          region: REGION,
          regionendpoint: endpoint,
          bucket: await makeBucket(),
          secure: false,
          v4auth: true,
        },
      }),
    stop: async () => {
      client.destroy();
      await proxy?.close();
      await postgres.stop();
      await rgw.stop();
    },
  };
}
