import { mkdir, writeFile } from 'node:fs/promises';
import { execute, startInBackground } from './process-runner.ts';
import { waitUntil } from './wait-until.ts';
import type { Workspace } from './workspace.ts';

export interface Containerd {
  readonly socket: string;
}

/** A containerd of the workspace's own, never the machine's: dockerd would take that one if it ran. */
export async function startContainerd(workspace: Workspace): Promise<Containerd> {
  const path = (name: string) => workspace.path('containerd', name);
  const socket = path('socket');
  await mkdir(path('.'), { recursive: true });
  await writeFile(path('config.toml'), configuration(path('root'), path('state'), socket));
  const daemon = startInBackground('containerd', ['--config', path('config.toml')]);
  workspace.defer(() => daemon.end());
  await waitUntil('containerd', async () => {
    if (!daemon.isRunning()) throw new Error(`containerd ended:\n${daemon.screen()}`);
    return (await execute('ctr', ['--address', socket, 'version'])).exitCode === 0;
  });
  return { socket };
}

/** No CRI plug-in: it would look for network interfaces and Kubernetes. */
function configuration(root: string, state: string, socket: string): string {
  return `version = 2
root = "${root}"
state = "${state}"
disabled_plugins = ["io.containerd.grpc.v1.cri"]
[grpc]
  address = "${socket}"
`;
}
