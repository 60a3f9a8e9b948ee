import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { createDockerClient } from '../support/clients/docker.ts';
import type { ImageClient } from '../support/clients/image-client.ts';
import { createPodmanClient } from '../support/clients/podman.ts';
import { pushAndPull } from '../support/clients/round-trip.ts';
import { createSkopeoClient } from '../support/clients/skopeo.ts';
import { startDockerd } from '../support/dockerd.ts';
import { type LayoutImage, makeImage } from '../support/oci-layout.ts';
import { startPostgres, type TestPostgres } from '../support/postgres.ts';
import { type S3Proxy, startS3Proxy } from '../support/s3-proxy.ts';
import type { ServerProcess } from '../support/server.ts';
import { startServerIn } from '../support/server-in-workspace.ts';
import { createStore } from '../support/store-fixture.ts';
import { createDatabase } from '../support/test-registry.ts';
import { createWorkspace, type Workspace } from '../support/workspace.ts';

const LAYERS = 3;
const LAYER_BYTES = 2 * 1024 * 1024;

const CLIENTS: Readonly<Record<string, (workspace: Workspace) => Promise<ImageClient>>> = {
  docker: async (workspace) => createDockerClient(workspace, await startDockerd(workspace)),
  podman: createPodmanClient,
  skopeo: createSkopeoClient,
};

let postgres: TestPostgres;
let images: Workspace;
let image: LayoutImage;

beforeAll(async () => {
  postgres = await startPostgres();
  images = await createWorkspace();
  image = await makeImage(images.path('image'), { layers: LAYERS, layerBytes: LAYER_BYTES });
});

afterAll(async () => {
  await images.dispose();
  await postgres.stop();
});

describe.each(Object.entries(CLIENTS))('%s', (_name, createClient) => {
  let workspace: Workspace;
  let server: ServerProcess;
  /** The way of clients to S3; the registry has one of its own. */
  let s3: S3Proxy;

  beforeEach(async () => {
    workspace = await createWorkspace();
    const { environment } = await createStore(workspace, 'S3');
    s3 = await startS3Proxy(environment['STORAGE_S3_ENDPOINT'] ?? '');
    workspace.defer(() => s3.close());
    server = await startServerIn(workspace, {
      ...environment,
      DATABASE_URL: await createDatabase(postgres.url),
      STORAGE_S3_EXTERNAL_STORE: 'true',
      STORAGE_S3_EXTERNAL_ENDPOINT: s3.endpoint,
      SYSTEM_LOG_LEVEL: 'trace',
    });
    return () => workspace.dispose();
  });

  test('pulls its layers from S3 by presigned URLs, of which no log tells', async () => {
    const client = await createClient(workspace);
    await pushAndPull(client, image, { reference: `${server.host}/acme/app:1.0` });

    const gets = s3.requests.filter(({ method }) => method === 'GET');
    expect(gets.length).toBeGreaterThanOrEqual(LAYERS);
    const output = JSON.stringify([server.log, server.stderr]);
    expect(output).toContain('listening');
    expect(output).not.toMatch(/X-Amz-(Signature|Credential)=/i);
  });
});
