import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { createDockerClient } from '../support/clients/docker.ts';
import type { ImageClient } from '../support/clients/image-client.ts';
import { type Dockerd, startDockerd } from '../support/dockerd.ts';
import { type LayoutImage, makeImage } from '../support/oci-layout.ts';
import { type RecordingProxy, startRecordingProxy } from '../support/recording-proxy.ts';
import { startServerIn } from '../support/server-in-workspace.ts';
import { createWorkspace, type Workspace } from '../support/workspace.ts';

const LAYERS = 3;
const MIB = 1024 * 1024;

let workspace: Workspace;
let dockerd: Dockerd;
let docker: ImageClient;
let proxy: RecordingProxy;

beforeAll(async () => {
  workspace = await createWorkspace();
  const server = await startServerIn(workspace);
  proxy = await startRecordingProxy(workspace, server.url);
  dockerd = await startDockerd(workspace);
  docker = createDockerClient(workspace, dockerd);
});
afterAll(() => workspace.dispose());
beforeEach(() => proxy.clear());

let images = 0;

/** A new image with layers that the registry has never seen. */
function newImage(layerBytes = 100_000): Promise<LayoutImage> {
  images += 1;
  return makeImage(workspace.path(`image-${images}`), { layers: LAYERS, layerBytes });
}

/** Loads an image and pushes it. @returns its reference. */
async function pushNew(name: string, image?: LayoutImage): Promise<string> {
  const reference = `${proxy.host}/${name}`;
  await docker.load(image ?? (await newImage()), reference);
  await docker.push(reference);
  return reference;
}

function count(method: string, status?: number): number {
  const isCounted = (r: { method: string; status: number }) =>
    r.method === method && (status === undefined || r.status === status);
  return proxy.requests.filter(isCounted).length;
}

describe('pushing again', () => {
  test('the same image under the same tag sends no layer', async () => {
    const reference = await pushNew('acme/again:1.0');
    // The layers, and the image's configuration.
    expect(count('PATCH', 202)).toBe(LAYERS + 1);
    proxy.clear();

    const { stdout } = await dockerd.docker('push', reference);

    expect(stdout.match(/Layer already exists/g)).toHaveLength(LAYERS);
    expect({ post: count('POST'), patch: count('PATCH') }).toEqual({ post: 0, patch: 0 });
    expect(proxy.requests.at(-1)).toMatchObject({ method: 'PUT', status: 201 });
  });

  test('the same image to another repository mounts its layers', async () => {
    const reference = await pushNew('acme/source:1.0');
    const target = `${proxy.host}/acme/target:1.0`;
    await dockerd.docker('tag', reference, target);
    proxy.clear();

    await docker.push(target);

    const mounts = proxy.requests.filter(
      ({ method, path }) => method === 'POST' && /[?&]mount=sha256/.test(path),
    );
    expect(mounts.map(({ status }) => status)).toEqual(Array(LAYERS).fill(201));
    // The configuration is no layer: docker sends it once more.
    expect(count('PATCH')).toBeLessThanOrEqual(1);
    await docker.forget(target);
    await docker.forget(reference);
    expect((await docker.pull(target)).diffIds).toHaveLength(LAYERS);
  });

  test('another image under an existing tag fails, and docker says why', async () => {
    const first = await newImage();
    const reference = await pushNew('acme/taken:1.0', first);
    await docker.load(await newImage(), reference);

    const push = await dockerd.tryDocker('push', reference);

    expect(push.exitCode).toBe(1);
    expect(push.screen).toContain('tag already exists');
    await docker.forget(reference);
    expect((await docker.pull(reference)).configDigest).toBe(first.configDigest);
  });

  test('another image under a mutable tag replaces it', async () => {
    const reference = await pushNew('acme/moving:1-SNAPSHOT');
    const second = await newImage();
    await pushNew('acme/moving:1-SNAPSHOT', second);
    await docker.forget(reference);

    expect((await docker.pull(reference)).configDigest).toBe(second.configDigest);
  });
});

describe('pulling', () => {
  test('latest gives the image of the newest tag', async () => {
    await pushNew('acme/newest:1.0');
    const second = await newImage();
    await pushNew('acme/newest:2.0', second);
    await docker.forget(`${proxy.host}/acme/newest:1.0`);
    await docker.forget(`${proxy.host}/acme/newest:2.0`);

    const pulled = await docker.pull(`${proxy.host}/acme/newest:latest`);

    expect(pulled.configDigest).toBe(second.configDigest);
  });

  test('a download that is cut in mid-layer goes on where it was', async () => {
    const image = await newImage(8 * MIB);
    const reference = await pushNew('acme/cut:1.0', image);
    await docker.forget(reference);
    proxy.clear();
    proxy.cutOnce({ path: /\/blobs\/sha256:/, afterBytes: 3 * MIB });

    const pulled = await docker.pull(reference);

    expect(pulled).toMatchObject({ configDigest: image.configDigest, diffIds: image.diffIds });
    const resumed = proxy.requests.filter(({ range }) => range !== undefined);
    expect(resumed).toEqual([
      {
        method: 'GET',
        path: expect.stringContaining('/blobs/'),
        range: expect.any(String),
        status: 206,
      },
    ]);
    // What got through isn't asked for again; docker may not have read the last of it.
    const from = Number(/^bytes=(\d+)-/.exec(resumed[0]?.range ?? '')?.[1]);
    expect(from).toBeGreaterThan(0);
    expect(from).toBeLessThanOrEqual(3 * MIB);
  });
});

describe('names', () => {
  test('a repository of one segment is refused, and docker shows what a name looks like', async () => {
    const reference = `${proxy.host}/app:1.0`;
    await docker.load(await newImage(), reference);

    const push = await dockerd.tryDocker('push', reference);

    expect(push.exitCode).toBe(1);
    expect(push.screen).toContain('TEAM/ARTIFACT');
  });

  test.each(['acme/a/b', 'acme/blobs/uploads/manifests', 'a1/b-c/d_e/f.g/h__i'])(
    '%s works',
    async (name) => {
      const image = await newImage();
      const reference = await pushNew(`${name}:1.0`, image);
      await docker.forget(reference);

      expect((await docker.pull(reference)).configDigest).toBe(image.configDigest);
    },
  );
});
