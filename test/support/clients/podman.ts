import { mkdir, writeFile } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { JsonValue } from '../json.ts';
import { findStorageDriver } from '../mounts.ts';
import type { LayoutImage } from '../oci-layout.ts';
import { type RunResult, run } from '../process-runner.ts';
import type { Workspace } from '../workspace.ts';
import type { LoginClient, MeasurableClient, PulledImage } from './image-client.ts';

export interface PodmanClient extends LoginClient, MeasurableClient {
  pushWith(reference: string, ...options: readonly string[]): Promise<void>;
}

/**
 * A podman with a store of the workspace's own.
 * @param environment in place of that with logins in the workspace
 */
export async function createPodmanClient(
  workspace: Workspace,
  environment: Readonly<Record<string, string>> = {},
): Promise<PodmanClient> {
  const podman = await createStoreCommand('podman', workspace, environment);
  const pushWith = async (reference: string, ...options: readonly string[]) =>
    void (await podman(['push', '--tls-verify=false', ...options, reference]));
  const fetch = async (reference: string) =>
    void (await podman(['pull', '--tls-verify=false', reference]));
  return {
    async load(image, reference) {
      const imageId = await loadLayout(podman, image);
      await podman(['tag', imageId, reference]);
    },
    pushWith,
    push: pushWith,
    forget: async () => void (await podman(['rmi', '--all', '--force'])),
    fetch,
    inspect: (reference) => inspect(podman, reference),
    async pull(reference) {
      await fetch(reference);
      return inspect(podman, reference);
    },
    tag: async (reference, other) => void (await podman(['tag', reference, other])),
    async login(host, { user, password }) {
      // Not by --password-stdin, which takes the line breaks out of a password.
      const credentials = ['--username', user, '--password', password];
      await podman(['login', '--tls-verify=false', ...credentials, host]);
    },
    logout: async () => void (await podman(['logout', '--all'])),
  };
}

async function inspect(podman: StoreCommand, reference: string): Promise<PulledImage> {
  const { stdout } = await podman(['image', 'inspect', reference]);
  const image = JsonValue.parse(stdout).at(0);
  return {
    manifestDigest: image.at('Digest').text,
    configDigest: `sha256:${image.at('Id').text}`,
    diffIds: image.at('RootFS', 'Layers').texts,
  };
}

type StoreCommand = (args: readonly string[], cwd?: string) => Promise<RunResult>;

/** @returns the image's ID. */
export async function loadLayout(command: StoreCommand, image: LayoutImage): Promise<string> {
  // The path becomes the image's first name, which must be lower-case: so it is a short one.
  const source = `oci:${basename(image.directory)}:${image.tag}`;
  const { stdout } = await command(['pull', '--quiet', source], dirname(image.directory));
  return stdout.trim();
}

/** podman and buildah take the same options, and would otherwise share the machine's store and its logins. */
export async function createStoreCommand(
  command: 'podman' | 'buildah',
  workspace: Workspace,
  environment: Readonly<Record<string, string>> = {},
): Promise<StoreCommand> {
  const options = [
    `--root=${workspace.path(command, 'root')}`,
    `--runroot=${workspace.path(command, 'run')}`,
    `--storage-driver=${await findStorageDriver(workspace)}`,
  ];
  const logins = workspace.path(command, 'auth.json');
  await mkdir(dirname(logins), { recursive: true });
  await writeFile(logins, '{}');
  const env = { HOME: workspace.directory, REGISTRY_AUTH_FILE: logins, ...environment };
  return (args, cwd = '/') => run(command, [...options, ...args], { env, cwd });
}
