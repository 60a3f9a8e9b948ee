import { expect, test } from 'vitest';
import { createDockerClient } from '../support/clients/docker.ts';
import { createPodmanClient } from '../support/clients/podman.ts';
import { startDockerd } from '../support/dockerd.ts';
import { HttpClient } from '../support/http-client.ts';
import { JsonValue } from '../support/json.ts';
import { type LayoutImage, makeImage } from '../support/oci-layout.ts';
import { getManifest } from '../support/registry-api.ts';
import { useServerOn } from '../support/server-on-store.ts';
import { waitUntil } from '../support/wait-until.ts';

const MIB = 1024 ** 2;
const SOURCE = {
  url: 'git:git@scm.example.org:acme/app.git',
  revision: '8a1c0de',
  author: 'alice',
  status: '',
};
/** A small layer's is there sooner; what is promised is five seconds. */
const SMALL_TIMEOUT_MS = 5000;
/** All of it has to be read. */
const LARGE_TIMEOUT_MS = 240_000;

const registry = useServerOn('a directory');

function makeSourced(name: string, layerBytes: number): Promise<LayoutImage> {
  const file = { name: 'scm-source.json', content: JSON.stringify(SOURCE) };
  return makeImage(registry.workspace.path(name), { layers: 1, layerBytes, file });
}

async function expectSource(artifact: string, timeoutMs: number): Promise<void> {
  const path = `/teams/acme/artifacts/${artifact}/tags/1.0/scm-source`;
  const api = new HttpClient(registry.server.url);
  const source = await waitUntil(
    'the source',
    async () => {
      const { status, body } = await api.send('GET', path);
      return status === 200 && JSON.parse(body.toString());
    },
    timeoutMs,
  );
  expect(source).toEqual({ ...SOURCE, created: expect.any(String) });
}

async function expectLayersOf(artifact: string, mediaType: RegExp): Promise<void> {
  const { bytes } = await getManifest(registry.server.url, `acme/${artifact}`, '1.0');
  const layers = JsonValue.parse(bytes.toString()).at('layers').items;
  for (const layer of layers) expect(layer.at('mediaType').text).toMatch(mediaType);
}

test('is found in what docker pushes, in gzip', async () => {
  const { workspace, server } = registry;
  const client = createDockerClient(workspace, await startDockerd(workspace));
  const reference = `${server.host}/acme/by-docker:1.0`;
  await client.load(await makeSourced('docker', 100_000), reference);
  await client.push(reference);
  await expectSource('by-docker', SMALL_TIMEOUT_MS);
  await expectLayersOf('by-docker', /gzip$/);
});

test.each(['gzip', 'zstd'])('is found in what podman pushes, in %s', async (format) => {
  const client = await createPodmanClient(registry.workspace);
  const reference = `${registry.server.host}/acme/by-podman-${format}:1.0`;
  await client.load(await makeSourced(`podman-${format}`, 100_000), reference);
  await client.pushWith(reference, '--compression-format', format);
  await expectSource(`by-podman-${format}`, SMALL_TIMEOUT_MS);
  await expectLayersOf(`by-podman-${format}`, new RegExp(`${format}$`));
  await client.forget(reference);
});

test('is found at the end of a layer of 1 GiB in zstd', async () => {
  const client = await createPodmanClient(registry.workspace);
  const reference = `${registry.server.host}/acme/large:1.0`;
  await client.load(await makeSourced('large', 1024 * MIB), reference);
  await client.pushWith(reference, '--compression-format', 'zstd');
  await expectSource('large', LARGE_TIMEOUT_MS);
});
