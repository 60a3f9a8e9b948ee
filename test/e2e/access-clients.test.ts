import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { type AccessRegistry, startAccessRegistry } from '../support/access-registry.ts';
import { createCtrClient } from '../support/clients/ctr.ts';
import { createDockerClient } from '../support/clients/docker.ts';
import type { LoginClient } from '../support/clients/image-client.ts';
import { createPodmanClient } from '../support/clients/podman.ts';
import { copyImage, createSkopeoClient } from '../support/clients/skopeo.ts';
import { startContainerd } from '../support/containerd.ts';
import { startDockerd } from '../support/dockerd.ts';
import { type LayoutImage, makeImage } from '../support/oci-layout.ts';
import { CommandError } from '../support/process-runner.ts';
import { type RecordingProxy, startRecordingProxy } from '../support/recording-proxy.ts';
import { leaksOf } from '../support/secrecy.ts';
import { waitUntil } from '../support/wait-until.ts';
import { createWorkspace, type Workspace } from '../support/workspace.ts';

const LAYERS = 2;
const LAYER_BYTES = 20_000;
const IMAGE = { layers: LAYERS, layerBytes: LAYER_BYTES };

const CLIENTS = {
  docker: async (workspace: Workspace) =>
    createDockerClient(workspace, await startDockerd(workspace)),
  podman: createPodmanClient,
  skopeo: createSkopeoClient,
  ctr: async (workspace: Workspace) => createCtrClient(workspace, await startContainerd(workspace)),
};
type ClientName = keyof typeof CLIENTS;
const CLIENT_NAMES = ['docker', 'podman', 'skopeo', 'ctr'] as const satisfies ClientName[];

const REGISTRIES = [
  { name: 'Basic', challenge: 'Basic', isPublic: false, settings: {} },
  {
    name: 'Bearer',
    challenge: 'Bearer',
    isPublic: false,
    settings: { HTTP_AUTH_CHALLENGE: 'bearer' },
  },
  {
    name: 'public read',
    challenge: 'Bearer',
    isPublic: true,
    settings: { HTTP_ALLOW_PUBLIC_READ: 'true' },
  },
] as const;

const PUSHED = 'pushed';
const NO_SCOPE = 'has neither the scope application.write nor application.write_all';
const PULL_ONLY = 'an instance identity document may only pull';

/** Everyone here may pull. A push to `acme/…` or `other/…` is pushed, or the screen says why not. */
// biome-ignore format: a table is read by its columns
const ASKERS = [
  { who: 'jdoe',          what: 'employee of acme',                 acme: PUSHED, other: 'jdoe is not in the team other' },
  { who: 'mallory',       what: 'employee of other',                acme: 'mallory is not in the team acme', other: PUSHED },
  { who: 'stups_robot',   what: 'service of acme, write',           acme: PUSHED, other: 'stups_robot is not in the team other' },
  { who: 'stups_foreign', what: 'service of other, write',          acme: 'stups_foreign is not in the team acme', other: PUSHED },
  { who: 'stups_builder', what: 'service of neither, write_all',    acme: PUSHED, other: PUSHED },
  { who: 'stups_reader',  what: 'service of acme, without a scope', acme: NO_SCOPE, other: NO_SCOPE },
  { who: 'machine',       what: 'instance identity document',       acme: PULL_ONLY, other: PULL_ONLY },
] as const;

/** The answer to a HEAD has no sentence: then the name of its error is all that there is. */
const LOG_IN = /log in (to|with) |unauthorized: authentication required/;
const INVALID =
  /unauthorized: the (token is unknown, expired or revoked|instance identity document isn't valid)/;

/**
 * What is on the screen without a login, and with one that isn't valid. Some words are the clients' own: they show of some
 * 401 no more than the status.
 */
// biome-ignore format: a table is read by its columns
const SCREENS = {
  Basic: {
    docker: { withoutLogin: 'no basic auth credentials', invalid: 'failed with status: 401 Unauthorized' },
    podman: { withoutLogin: LOG_IN,                      invalid: 'invalid username/password' },
    skopeo: { withoutLogin: LOG_IN,                      invalid: 'invalid username/password' },
    ctr:    { withoutLogin: '401 Unauthorized',          invalid: '401 Unauthorized' },
  },
  Bearer: {
    docker: { withoutLogin: LOG_IN,                      invalid: INVALID },
    podman: { withoutLogin: LOG_IN,                      invalid: 'invalid username/password' },
    skopeo: { withoutLogin: LOG_IN,                      invalid: 'invalid username/password' },
    ctr:    { withoutLogin: /failed to fetch anonymous token: .* 401 Unauthorized|authorization failed$/m,
                                                         invalid: /failed to fetch oauth token: .* 401 Unauthorized/ },
  },
} as const;

let workspace: Workspace;
let image: LayoutImage;
const clients = new Map<ClientName, LoginClient>();

beforeAll(async () => {
  workspace = await createWorkspace();
  image = await makeImage(workspace.path('image'), IMAGE);
  for (const name of CLIENT_NAMES) clients.set(name, await CLIENTS[name](workspace));
});
afterAll(() => workspace.dispose());

describe.each(REGISTRIES)('$name', ({ challenge, isPublic, settings }) => {
  let place: Workspace;
  let registry: AccessRegistry;
  let proxy: RecordingProxy;
  /** What everyone who may pull finds there. */
  let sample: LayoutImage;

  beforeAll(async () => {
    place = await createWorkspace();
    registry = await startAccessRegistry(place, { ...settings, SYSTEM_LOG_LEVEL: 'trace' });
    proxy = await startRecordingProxy(place, registry.server.url);
    sample = await makeImage(place.path('sample'), IMAGE);
    const { user, password } = registry.loginOf('jdoe');
    await copyImage(sample.source, `docker://${samplePath()}`, `--dest-creds=${user}:${password}`);
  });
  afterAll(() => place.dispose());

  function samplePath(): string {
    return `${proxy.host}/acme/sample:1.0`;
  }

  describe.each(CLIENT_NAMES)('%s', (name) => {
    const client = () => clients.get(name) ?? expect.fail(`there is no ${name}`);
    const { withoutLogin, invalid } = SCREENS[challenge][name];

    afterEach(() => client().logout(proxy.host));

    test.each(ASKERS)('$who, $what: acme $acme, other $other', async (asker) => {
      const { who } = asker;
      await client().login(proxy.host, registry.loginOf(who));

      await expectPull();
      for (const team of ['acme', 'other'] as const) {
        await expectPush(`${team}/${name}-${who.replace('_', '-')}`, asker[team]);
      }
    });

    test(`without a login it ${isPublic ? 'pulls' : 'may not pull'}, and is asked to log in for a push`, async () => {
      if (isPublic) await expectPull();
      else expect(await screenOf(client().pull(samplePath()))).toMatch(withoutLogin);

      await expectPush(`acme/${name}-anonymous`, withoutLogin);
    });

    test.each([
      { what: 'a wrong token', who: 'nobody' },
      { what: 'the document of an unknown machine', who: 'forged machine' },
    ] as const)('$what is refused', async ({ who }) => {
      // ctr has no login: a push is what it needs its credentials for in every registry.
      const loginAndPush = async () => {
        await client().login(proxy.host, registry.loginOf(who));
        await push(`acme/${name}-${who.replace(' ', '-')}`);
      };

      expect(await screenOf(loginAndPush())).toMatch(invalid);
    });

    test('what was pulled is pushed to another repository without sending its layers', async () => {
      await client().login(proxy.host, registry.loginOf('jdoe'));
      const copy = `${proxy.host}/acme/${name}-copy:1.0`;
      await client().pull(samplePath());
      await client().tag(samplePath(), copy);
      proxy.clear();

      await client().push(copy);

      const isMount = /[?&]mount=sha256/;
      const mounts = proxy.requests.filter(
        ({ method, path, status }) => method === 'POST' && isMount.test(path) && status !== 401,
      );
      expect(mounts.length).toBeGreaterThanOrEqual(LAYERS);
      expect(mounts.map(({ status }) => status)).toEqual(Array(mounts.length).fill(201));
      await client().forget(copy);
      await client().forget(samplePath());
    });

    async function expectPull(): Promise<void> {
      const { server } = registry;
      const before = await server.metric('pierone_downloaded_bytes_total');
      const pulled = await client().pull(samplePath());
      await client().forget(samplePath());
      expect(pulled.diffIds).toEqual(sample.diffIds);
      await waitUntil('the downloaded bytes', async () => {
        const bytes = (await server.metric('pierone_downloaded_bytes_total')) - before;
        return bytes >= LAYERS * LAYER_BYTES;
      });
    }

    async function push(repository: string): Promise<void> {
      const reference = `${proxy.host}/${repository}:1.0`;
      await client().load(image, reference);
      await client().push(reference);
    }

    async function expectPush(repository: string, outcome: string | RegExp): Promise<void> {
      if (outcome === PUSHED) await push(repository);
      else expect(await screenOf(push(repository))).toMatch(outcome);
    }
  });

  test('nothing that the registry has said holds a token or a document', async () => {
    const { log, stderr, managementUrl } = registry.server;
    const metrics = await (await fetch(`${managementUrl}/metrics`)).text();
    const said = [log, stderr, metrics];

    expect(JSON.stringify(said)).toContain('pierone_downloaded_bytes_total');
    expect(registry.secrets.flatMap((secret) => leaksOf(secret, said))).toEqual([]);
  });
});

/** What a command showed that had to fail. */
async function screenOf(command: Promise<unknown>): Promise<string> {
  const error: unknown = await command.then(
    () => expect.fail('it was not refused'),
    (failure: unknown) => failure,
  );
  if (error instanceof CommandError) return error.result.screen;
  throw error;
}
