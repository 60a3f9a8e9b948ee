import { createDockerClient } from '../test/support/clients/docker.ts';
import type { MeasurableClient } from '../test/support/clients/image-client.ts';
import { createPodmanClient } from '../test/support/clients/podman.ts';
import { createSkopeoClient } from '../test/support/clients/skopeo.ts';
import { startDockerd } from '../test/support/dockerd.ts';
import { findStorageDriver } from '../test/support/mounts.ts';
import { run } from '../test/support/process-runner.ts';
import { createWorkspace, type Workspace } from '../test/support/workspace.ts';
import { stopWhenInterrupted } from './interrupt.ts';
import { type Registry, startOurs, startPeer } from './registries.ts';

export const CLIENTS = ['docker', 'podman', 'skopeo'] as const;
export type ClientName = (typeof CLIENTS)[number];

/** What is measured. */
export interface ClientSubject {
  readonly name: 'ours' | 'peer';
  readonly registry: Registry;
}

export interface NamedClient {
  readonly name: ClientName;
  readonly version: string;
  readonly client: MeasurableClient;
}

/** Registries on disk, and clients with stores of their own. */
export interface ClientScene {
  readonly subjects: readonly ClientSubject[];
  readonly clients: readonly NamedClient[];
  /** Of docker and podman. */
  readonly storageDriver: string;
  readonly workspace: Workspace;
  stop(): Promise<void>;
}

const STARTS = { ours: () => startOurs(), peer: () => startPeer() };

const OPENERS: Readonly<Record<ClientName, (workspace: Workspace) => Promise<MeasurableClient>>> = {
  docker: async (workspace) => createDockerClient(workspace, await startDockerd(workspace)),
  podman: createPodmanClient,
  skopeo: createSkopeoClient,
};

export async function openClientScene(
  names: readonly ClientSubject['name'][],
  clientNames: readonly ClientName[],
): Promise<ClientScene> {
  const stops: (() => Promise<void>)[] = [];
  const stop = async () => {
    for (let next = stops.pop(); next; next = stops.pop()) await next();
  };
  try {
    const subjects: ClientSubject[] = [];
    for (const name of names) {
      const registry = await STARTS[name]();
      stops.push(registry.stop);
      subjects.push({ name, registry });
    }
    const workspace = await createWorkspace();
    stops.push(() => workspace.dispose());
    stopWhenInterrupted(() => workspace.dispose());
    const clients: NamedClient[] = [];
    for (const name of clientNames) clients.push(await openClient(name, workspace));
    const storageDriver = await findStorageDriver(workspace);
    return { subjects, clients, storageDriver, workspace, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function openClient(name: ClientName, workspace: Workspace): Promise<NamedClient> {
  // docker's daemon does the work.
  const { stdout } = await run(name === 'docker' ? 'dockerd' : name, ['--version']);
  return { name, version: stdout.trim(), client: await OPENERS[name](workspace) };
}
