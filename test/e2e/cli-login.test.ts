import { mkdir, writeFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type AccessRegistry, startAccessRegistry } from '../support/access-registry.ts';
import { createDockerClient } from '../support/clients/docker.ts';
import type { LoginClient } from '../support/clients/image-client.ts';
import { createPodmanClient } from '../support/clients/podman.ts';
import { startDockerd } from '../support/dockerd.ts';
import { startInstanceMetadata } from '../support/instance-metadata.ts';
import { type LayoutImage, makeImage } from '../support/oci-layout.ts';
import { type CliHome, makeHome } from '../support/pierone-command.ts';
import { createWorkspace, type Workspace } from '../support/workspace.ts';

/*
 * docker and podman after `pierone login`, as a CI job has it: without a terminal, and with nothing in their files but the name
 * of the helper, which finds the job's token.
 */

const SERVICE = 'stups_ci';
const PASSWORD = 'job-password';

let workspace: Workspace;
let home: CliHome;
let registry: AccessRegistry;
let host: string;
let image: LayoutImage;
let docker: LoginClient;
let podman: LoginClient;

beforeAll(async () => {
  workspace = await createWorkspace();
  registry = await startAccessRegistry(workspace);
  ({ host } = new URL(registry.server.url));
  const { provider } = registry;
  const scopes = ['uid', 'application.write'];
  provider.addService({ uid: SERVICE, team: 'acme', scopes, password: PASSWORD });
  home = await makeHome({
    PIERONE_URL: registry.server.url,
    CREDENTIALS_DIR: workspace.path('credentials'),
    OAUTH2_ACCESS_TOKEN_URL: provider.urlOf('token'),
    DOCKER_CONFIG: workspace.path('docker-config'),
    REGISTRY_AUTH_FILE: workspace.path('podman-auth.json'),
  });
  workspace.defer(() => home.remove());
  image = await makeImage(workspace.path('image'), { layers: 2, layerBytes: 20_000 });
  docker = createDockerClient(workspace, await startDockerd(workspace, home.environment));
  podman = await createPodmanClient(workspace, home.environment);
});
afterAll(() => workspace.dispose());

const SCENES = {
  docker: { client: () => docker, args: ['login'] },
  podman: { client: () => podman, args: ['login', '--podman'] },
} as const;

describe.each(['docker', 'podman'] as const)('%s', (name) => {
  const { client, args } = SCENES[name];
  const reference = () => `${host}/acme/${name}:1.0`;

  test('pushes and pulls with the job’s own token after pierone login', async () => {
    await writeCredentials();
    const { exitCode, stdout, stderr } = await home.pierone(args);
    expect({ exitCode, stdout, stderr }).toEqual({
      exitCode: 0,
      stdout: `Logged in to ${host} as ${SERVICE} (services), who may push to acme.\n`,
      stderr: '',
    });
    await client().load(image, reference());
    await client().push(reference());
    await client().forget(reference());

    const pulled = await client().pull(reference());

    expect(pulled.diffIds).toEqual(image.diffIds);
    await client().forget(reference());
    const { stdout: tags } = await home.pierone(['tags', 'acme', name, '-o', 'json']);
    expect(JSON.parse(tags)).toMatchObject([{ tag: '1.0', created_by: SERVICE }]);
  });

  test('may no longer pull after pierone logout', async () => {
    expect(await home.pierone(['logout'])).toMatchObject({ exitCode: 0 });

    await expect(client().pull(reference())).rejects.toThrow(
      /unauthorized|no basic auth credentials|authentication required/,
    );
  });
});

describe('docker', () => {
  const reference = () => `${host}/acme/docker:1.0`;

  async function expectPull(): Promise<void> {
    expect((await docker.pull(reference())).diffIds).toEqual(image.diffIds);
    await docker.forget(reference());
  }

  test('pulls with the token in its file, whatever store it has for other registries', async () => {
    await writeCredentials();
    await mkdir(workspace.path('docker-config'), { recursive: true });
    await writeFile(workspace.path('docker-config', 'config.json'), '{"credsStore": "missing"}');
    await home.pierone(['login', '--no-credential-helper']);

    await expectPull();
    await home.pierone(['logout']);
  });

  test('pulls as the machine that it runs on', async () => {
    const metadata = await startInstanceMetadata(registry.provider.addInstance());
    workspace.defer(() => metadata.close());
    const environment = { AWS_EC2_METADATA_SERVICE_ENDPOINT: metadata.url };
    await home.pierone(['login', '--instance-identity'], environment);

    await expectPull();
    await home.pierone(['logout']);
  });

  test('logs in and out by the helper, once pierone login has named it', async () => {
    await writeCredentials();
    await home.pierone(['login']);
    await docker.logout(host);
    await expect(docker.pull(reference())).rejects.toThrow(/no basic auth credentials/);

    await docker.login(host, registry.loginOf('jdoe'));

    await expectPull();
    await docker.logout(host);
    await expect(docker.pull(reference())).rejects.toThrow(/no basic auth credentials/);
  });
});

async function writeCredentials(): Promise<void> {
  const directory = workspace.path('credentials');
  const { id: client_id, secret: client_secret } = registry.provider.client;
  const user = { application_username: SERVICE, application_password: PASSWORD };
  await mkdir(directory, { recursive: true });
  await writeFile(`${directory}/user.json`, JSON.stringify(user));
  await writeFile(`${directory}/client.json`, JSON.stringify({ client_id, client_secret }));
}
