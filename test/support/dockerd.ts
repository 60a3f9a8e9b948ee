import { mkdir, writeFile } from 'node:fs/promises';
import { startContainerd } from './containerd.ts';
import { findStorageDriver } from './mounts.ts';
import { execute, type RunResult, run, startInBackground } from './process-runner.ts';
import { waitUntil } from './wait-until.ts';
import type { Workspace } from './workspace.ts';

export interface Dockerd {
  /** `docker ARGS`, which must succeed. */
  docker(...args: readonly string[]): Promise<RunResult>;
  /** `docker ARGS` with a text on its standard input; it must succeed. */
  dockerWith(input: string, ...args: readonly string[]): Promise<RunResult>;
  /** `docker ARGS`, which may fail. */
  tryDocker(...args: readonly string[]): Promise<RunResult>;
}

/**
 * A dockerd of the workspace's own, without a bridge and without rules for packets. Needs root.
 * @param environment of its client, as a home directory with logins
 */
export async function startDockerd(
  workspace: Workspace,
  environment: Readonly<Record<string, string>> = {},
): Promise<Dockerd> {
  const containerd = await startContainerd(workspace);
  const driver = await findStorageDriver(workspace);
  const path = (name: string) => workspace.path('dockerd', name);
  await mkdir(path('client'), { recursive: true });
  await writeFile(path('daemon.json'), '{}');
  const host = `unix://${path('socket')}`;
  const daemon = startInBackground('dockerd', [
    `--storage-driver=${driver === 'overlay' ? 'overlay2' : driver}`,
    '--iptables=false',
    '--ip6tables=false',
    '--bridge=none',
    `--containerd=${containerd.socket}`,
    `--data-root=${path('data')}`,
    `--exec-root=${path('exec')}`,
    `--pidfile=${path('pid')}`,
    `--config-file=${path('daemon.json')}`,
    `--host=${host}`,
  ]);
  workspace.defer(() => daemon.end());
  const options = { env: { DOCKER_HOST: host, DOCKER_CONFIG: path('client'), ...environment } };
  const tryDocker = (...args: readonly string[]) => execute('docker', args, options);
  await waitUntil('dockerd', async () => {
    if (!daemon.isRunning()) throw new Error(`dockerd ended:\n${daemon.screen()}`);
    return (await tryDocker('version')).exitCode === 0;
  });
  return {
    tryDocker,
    docker: (...args) => run('docker', args, options),
    dockerWith: (input, ...args) => run('docker', args, { ...options, input }),
  };
}
