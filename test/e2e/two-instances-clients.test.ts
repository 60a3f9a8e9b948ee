import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startAlternation } from '../support/alternation.ts';
import { createDockerClient } from '../support/clients/docker.ts';
import type { ImageClient } from '../support/clients/image-client.ts';
import { createPodmanClient } from '../support/clients/podman.ts';
import { pushAndPull } from '../support/clients/round-trip.ts';
import { createSkopeoClient } from '../support/clients/skopeo.ts';
import { startDockerd } from '../support/dockerd.ts';
import { useInstancePair } from '../support/instance-pair.ts';
import { type LayoutImage, makeImage } from '../support/oci-layout.ts';
import { STORE_KINDS } from '../support/store-fixture.ts';
import { waitUntil } from '../support/wait-until.ts';
import { createWorkspace, type Workspace } from '../support/workspace.ts';

const LAYERS = 12;
const LAYER_BYTES = 2 * 1024 * 1024;

const CLIENTS: Readonly<Record<string, (workspace: Workspace) => Promise<ImageClient>>> = {
  docker: async (workspace) => createDockerClient(workspace, await startDockerd(workspace)),
  podman: createPodmanClient,
  skopeo: createSkopeoClient,
};

let images: Workspace;
let image: LayoutImage;

beforeAll(async () => {
  images = await createWorkspace();
  image = await makeImage(images.path('image'), { layers: LAYERS, layerBytes: LAYER_BYTES });
});
afterAll(() => images.dispose());

describe.each(STORE_KINDS)('two instances over %s', (kind) => {
  const pair = useInstancePair(kind);

  describe.each(Object.entries(CLIENTS))('%s', (_name, createClient) => {
    test('pulls what it pushed through a TCP balancer, its connections in turn to each', async () => {
      const { workspace, balancer } = pair;
      const client = await createClient(workspace);

      await pushAndPull(client, image, { reference: `${balancer.host}/acme/app:1.0` });

      const [toA = 0, toB = 0] = balancer.connections();
      expect(Math.abs(toA - toB)).toBeLessThanOrEqual(1);
      await expectTransferred();
    });

    test('pulls what it pushed, its requests in turn to each', async () => {
      const { a, b, workspace } = pair;
      const alternation = await startAlternation(workspace, [a.host, b.host]);
      const client = await createClient(workspace);

      await pushAndPull(client, image, { reference: `${alternation.host}/acme/app:1.0` });

      expect(alternation.movedUploads()).toBeGreaterThan(0);
      await expectTransferred();
    });
  });

  /** Random bytes can't be compressed: less would mean that something wasn't transferred. */
  async function expectTransferred(): Promise<void> {
    for (const way of ['uploaded', 'downloaded']) {
      // What was downloaded is counted after the client has it.
      await waitUntil(`${way} bytes of both`, async () => {
        const [a, b] = await pair.metrics(`pierone_${way}_bytes_total`);
        return a + b >= LAYERS * LAYER_BYTES && Math.min(a, b) > 0;
      });
    }
  }
});
