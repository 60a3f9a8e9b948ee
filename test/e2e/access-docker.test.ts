import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type AccessRegistry, startAccessRegistry } from '../support/access-registry.ts';
import { createDockerClient } from '../support/clients/docker.ts';
import type { LoginClient } from '../support/clients/image-client.ts';
import { type Dockerd, startDockerd } from '../support/dockerd.ts';
import { makeImage } from '../support/oci-layout.ts';
import { type RecordingProxy, startRecordingProxy } from '../support/recording-proxy.ts';
import { waitUntil } from '../support/wait-until.ts';
import { createWorkspace, type Workspace } from '../support/workspace.ts';

const LAYERS = 3;

const REGISTRIES = [
  { name: 'Basic', challenge: 'Basic', settings: {} },
  { name: 'Bearer', challenge: 'Bearer', settings: { HTTP_AUTH_CHALLENGE: 'bearer' } },
  { name: 'public read', challenge: 'Bearer', settings: { HTTP_ALLOW_PUBLIC_READ: 'true' } },
] as const;

/** docker shows what /token says, and of /v2/ the status alone. */
const LOGIN_FAILED = {
  Basic: 'failed with status: 401 Unauthorized',
  Bearer: /unauthorized: (the token is unknown, expired or revoked|this user name isn't known)/,
} as const;

let workspace: Workspace;
let dockerd: Dockerd;
let docker: LoginClient;
let images = 0;

beforeAll(async () => {
  workspace = await createWorkspace();
  dockerd = await startDockerd(workspace);
  docker = createDockerClient(workspace, dockerd);
});
afterAll(() => workspace.dispose());

describe.each(REGISTRIES)('$name', ({ challenge, settings }) => {
  let place: Workspace;
  let registry: AccessRegistry;
  let proxy: RecordingProxy;

  beforeAll(async () => {
    place = await createWorkspace();
    registry = await startAccessRegistry(place, settings);
    proxy = await startRecordingProxy(place, registry.server.url);
  });
  afterAll(() => place.dispose());
  beforeEach(async () => {
    await docker.login(proxy.host, registry.loginOf('jdoe'));
    proxy.clear();
  });

  /** Loads a new image. @returns its reference */
  async function loadNew(name: string): Promise<string> {
    images += 1;
    const wish = { layers: LAYERS, layerBytes: 20_000 };
    const reference = `${proxy.host}/${name}`;
    await docker.load(await makeImage(workspace.path(`image-${images}`), wish), reference);
    return reference;
  }

  async function pushNew(name: string): Promise<string> {
    const reference = await loadNew(name);
    await docker.push(reference);
    return reference;
  }

  function answersTo(method: string, path: RegExp): number[] {
    const asked = proxy.requests.filter((one) => one.method === method && path.test(one.path));
    return asked.map(({ status }) => status);
  }

  test('pushing the same image again sends no layer', async () => {
    const reference = await pushNew('acme/again:1.0');
    expect(answersTo('PATCH', /./)).toEqual(Array(LAYERS + 1).fill(202));
    proxy.clear();

    const { stdout } = await dockerd.docker('push', reference);

    expect(stdout.match(/Layer already exists/g)).toHaveLength(LAYERS);
    expect([answersTo('POST', /./), answersTo('PATCH', /./)]).toEqual([[], []]);
  });

  test("a mount into another team's repository is refused", async () => {
    const target = `${proxy.host}/other/target:1.0`;
    await dockerd.docker('tag', await pushNew('acme/mine:1.0'), target);
    proxy.clear();

    const push = await dockerd.tryDocker('push', target);

    expect(push.exitCode).toBe(1);
    expect(push.screen).toContain('jdoe is not in the team other');
    const attempts = answersTo('POST', /\/other\/target\/.*[?&]mount=sha256/);
    expect(new Set(attempts)).toEqual(new Set([403]));
  });

  test('a refused push is tried once for each layer at most', async () => {
    const push = await dockerd.tryDocker('push', await loadNew('other/refused:1.0'));

    expect(push.exitCode).toBe(1);
    const attempts = answersTo('POST', /\/other\/refused\/blobs\/uploads\//);
    expect(new Set(attempts)).toEqual(new Set([403]));
    expect(attempts.length).toBeLessThanOrEqual(LAYERS);
  });

  test.each([
    { what: 'a token that nobody knows', user: 'oauth2' },
    { what: 'a user name that means nothing', user: 'jdoe' },
  ])('docker login with $what fails and says so', async ({ user }) => {
    const login = docker.login(proxy.host, { user, password: 'made-up' });

    await expect(login).rejects.toThrow(LOGIN_FAILED[challenge]);
  });

  test('an expired token is refused, and never taken for nobody', async () => {
    const reference = await pushNew('acme/expiring:1.0');
    await docker.forget(reference);
    const password = registry.provider.issueToken('jdoe', { lifetimeSeconds: 2 });
    await docker.login(proxy.host, { user: 'oauth2', password });

    const refused = await waitUntil('a pull that is refused', async () => {
      const pull = await dockerd.tryDocker('pull', reference);
      if (pull.exitCode === 1) return pull;
      await docker.forget(reference);
      return undefined;
    });

    expect(refused.screen).toContain('the token is unknown, expired or revoked');
  });
});
