import { readFile, rm } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createBuildahClient } from '../support/clients/buildah.ts';
import { createCtrClient } from '../support/clients/ctr.ts';
import { createDockerClient } from '../support/clients/docker.ts';
import type { ImageClient } from '../support/clients/image-client.ts';
import { createPodmanClient } from '../support/clients/podman.ts';
import { pushAndPull } from '../support/clients/round-trip.ts';
import { copyImage, createSkopeoClient } from '../support/clients/skopeo.ts';
import { startContainerd } from '../support/containerd.ts';
import { startDockerd } from '../support/dockerd.ts';
import { JsonValue } from '../support/json.ts';
import { blobPath, type LayoutImage, makeImage, makeIndex } from '../support/oci-layout.ts';
import { getManifest } from '../support/registry-api.ts';
import { useServerOn } from '../support/server-on-store.ts';
import type { StoreKind } from '../support/store-fixture.ts';
import { waitUntil } from '../support/wait-until.ts';
import { createWorkspace, type Workspace } from '../support/workspace.ts';

const MIB = 1024 ** 2;
const UPLOADED = 'pierone_uploaded_bytes_total';
const DOWNLOADED = 'pierone_downloaded_bytes_total';
const SETUP_TIMEOUT_MS = 300_000;

type CreateClient = (workspace: Workspace) => Promise<ImageClient>;

const CLIENTS: Readonly<Record<string, CreateClient>> = {
  docker: async (workspace) => createDockerClient(workspace, await startDockerd(workspace)),
  podman: createPodmanClient,
  buildah: createBuildahClient,
  skopeo: createSkopeoClient,
  ctr: async (workspace) => createCtrClient(workspace, await startContainerd(workspace)),
};

/** Real clients on a registry whose bytes are kept in `kind`, and how many a layer has that they push, by client. */
export function describeClients(kind: StoreKind, largeLayers: Readonly<Record<string, number>>) {
  const images = useImages();
  describe(`over ${kind}`, () => {
    describe.each(Object.entries(CLIENTS))('%s', (name, createClient) =>
      describeClient(kind, createClient, images, largeLayers[name]),
    );
    describeOtherImages(kind);
  });
}

/** Gives an image of so many layers of so many bytes, made when it is first asked for. */
type Images = (layers: number, layerBytes: number) => Promise<LayoutImage>;

function useImages(): Images {
  const made = new Map<string, Promise<LayoutImage>>();
  let workspace: Workspace;
  beforeAll(async () => {
    workspace = await createWorkspace();
  });
  afterAll(() => workspace.dispose());
  return (layers, layerBytes) => {
    const name = `${layers}-${layerBytes}`;
    const image = made.get(name) ?? makeImage(workspace.path(name), { layers, layerBytes });
    made.set(name, image);
    return image;
  };
}

/** It has a registry and a store of its own: nothing of its images is there yet, so everything is transferred. */
function describeClient(
  kind: StoreKind,
  createClient: CreateClient,
  imageOf: Images,
  largeLayerBytes = 0,
): void {
  const registry = useServerOn(kind, 'suite');
  let client: ImageClient;

  beforeAll(async () => {
    client = await createClient(registry.workspace);
  }, SETUP_TIMEOUT_MS);

  test('pulls the image of 30 layers that it pushed', () => transfer('thirty', 30, 300_000));

  if (largeLayerBytes === 0) return;
  test(`pulls the image with a layer of ${largeLayerBytes / MIB} MiB that it pushed`, () =>
    transfer('large', 1, largeLayerBytes));

  /** Random bytes can't be compressed, so that less would mean that something wasn't transferred. */
  async function transfer(name: string, layers: number, layerBytes: number): Promise<void> {
    const { server } = registry;
    const image = await imageOf(layers, layerBytes);
    const bytes = layers * layerBytes;
    const uploaded = await server.metric(UPLOADED);
    const downloaded = await server.metric(DOWNLOADED);
    await pushAndPull(client, image, {
      reference: `${server.host}/acme/${name}:1.0`,
      onPushed: async () => {
        expect((await server.metric(UPLOADED)) - uploaded).toBeGreaterThanOrEqual(bytes);
      },
    });
    await waitUntil(`${bytes} downloaded bytes`, async () => {
      return (await server.metric(DOWNLOADED)) - downloaded >= bytes;
    });
  }
}

function describeOtherImages(kind: StoreKind): void {
  const registry = useServerOn(kind);

  test('skopeo copies an index of two platforms there and back, byte for byte', async () => {
    const { server, workspace } = registry;
    const wish = { layers: 3, layerBytes: 100_000 };
    const index = await makeIndex(workspace.path('index'), ['amd64', 'arm64'], wish);
    const remote = `docker://${server.host}/acme/multi:1.0`;
    await copyImage(index.source, remote, '--all');

    await copyImage(remote, `oci:${workspace.path('copy')}:index`, '--all');

    const served = await getManifest(server.url, 'acme/multi', '1.0');
    expect(served.bytes).toEqual(await readFile(blobPath(index.directory, index.indexDigest)));
    const digests = await listBlobs(index.directory, index.indexDigest);
    expect(digests).toHaveLength(1 + 2 * (1 + 1 + 3));
    for (const digest of digests) {
      const copy = await readFile(blobPath(workspace.path('copy'), digest));
      expect(copy.equals(await readFile(blobPath(index.directory, digest))), digest).toBe(true);
    }
  });

  test('podman pulls the zstd layers that it pushed', async () => {
    const { server, workspace } = registry;
    const podman = await createPodmanClient(workspace);
    const image = await makeImage(workspace.path('zstd'), { layers: 5, layerBytes: 1_000_000 });
    const reference = `${server.host}/acme/zstd:1.0`;
    await podman.load(image, reference);
    await rm(image.directory, { recursive: true });
    await podman.pushWith(reference, '--compression-format=zstd');
    await podman.forget(reference);

    const pulled = await podman.pull(reference);

    const served = await getManifest(server.url, 'acme/zstd', '1.0');
    const layers = JsonValue.parse(served.bytes.toString()).at('layers').items;
    expect(layers.map((layer) => layer.at('mediaType').text)).toEqual(
      Array(5).fill('application/vnd.oci.image.layer.v1.tar+zstd'),
    );
    expect(pulled).toEqual({
      manifestDigest: served.digest,
      configDigest: image.configDigest,
      diffIds: image.diffIds,
    });
  });
}

/** The index, its manifests, and their configurations and layers. */
async function listBlobs(directory: string, indexDigest: string): Promise<string[]> {
  const read = async (digest: string) =>
    JsonValue.parse(await readFile(blobPath(directory, digest), 'utf8'));
  const digests = [indexDigest];
  for (const child of (await read(indexDigest)).at('manifests').items) {
    const manifest = await read(child.at('digest').text);
    const parts = [child, manifest.at('config'), ...manifest.at('layers').items];
    digests.push(...parts.map((part) => part.at('digest').text));
  }
  return digests;
}
