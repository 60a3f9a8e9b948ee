import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { makeBuildBase, makeRuntimeBase } from './base-images.ts';
import { HttpClient } from './http-client.ts';
import { findStorageDriver } from './mounts.ts';
import { execute, type RunResult, run } from './process-runner.ts';
import { waitUntil } from './wait-until.ts';
import type { Workspace } from './workspace.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const BUILD_TIMEOUT_MS = 600_000;

export const IMAGE = 'localhost/pierone:test';
export const RUNTIME_BASE = 'localhost/runtime-base';
const BUILD_BASE = 'localhost/build-base';

/** A podman whose store has Pier One's image. */
export interface Containers {
  /** `podman ARGS`, which must succeed. */
  podman(...args: readonly string[]): Promise<RunResult>;
  /** `podman ARGS`, which may fail. */
  tryPodman(...args: readonly string[]): Promise<RunResult>;
  /** Starts a container of the image in the network of this machine, on a root file system that can't be written to. */
  start(name: string, environment: Readonly<Record<string, string>>): Promise<Container>;
}

export interface Container {
  /** host:port */
  readonly host: string;
  readonly management: HttpClient;
  /** Waits until it is ready. */
  ready(): Promise<void>;
  /** What was most, since it started. */
  peakMemoryBytes(): Promise<number>;
  /** `podman stop`. @returns the exit code; 137 when the grace was too short */
  stop(graceSeconds: number): Promise<number>;
}

export interface ContainerPorts {
  readonly http: number;
  readonly management: number;
}

/** Builds the image without a network, from bases of this machine and what npm has in its cache. */
export async function buildImage(
  workspace: Workspace,
  environment: Readonly<Record<string, string>>,
): Promise<Containers> {
  const store = [
    `--root=${workspace.path('containers')}`,
    `--runroot=${workspace.path('containers-run')}`,
    `--storage-driver=${await findStorageDriver(workspace)}`,
  ];
  await importBase(store, BUILD_BASE, await makeBuildBase(workspace));
  await importBase(store, RUNTIME_BASE, await makeRuntimeBase(workspace));
  const cache = await npmSetting('cache');
  const buildah = ['unshare', '--net', 'buildah', ...store, 'bud', '--isolation=chroot'];
  const builder = [...buildah, '--layers=false', '--format=docker', '--pull-never'];
  await run(
    `${ROOT}/scripts/build-image`,
    [
      IMAGE,
      // Overlaid: what npm writes there is thrown away.
      `--volume=${cache}:/root/.npm:O`,
      ...buildArguments({
        BUILD_IMAGE: BUILD_BASE,
        BASE: RUNTIME_BASE,
        NPM_CONFIG_OFFLINE: 'true',
        NPM_CONFIG_REGISTRY: await npmSetting('registry'),
      }),
    ],
    { env: { ...environment, BUILDER: builder.join(' ') }, timeoutMs: BUILD_TIMEOUT_MS },
  );
  return openContainers(workspace, store);
}

function openContainers(workspace: Workspace, store: readonly string[]): Containers {
  const options = [...store, '--runtime=runc', '--cgroup-manager=cgroupfs'];
  const podman = (...args: readonly string[]) => run('podman', [...options, ...args]);
  workspace.defer(() => podman('rm', '--all', '--force', '--volumes', '--time=0'));
  return {
    podman,
    tryPodman: (...args) => execute('podman', [...options, ...args]),
    async start(name, environment) {
      const variables = Object.entries(environment).map(([key, value]) => `--env=${key}=${value}`);
      await podman('run', '--detach', `--name=${name}`, ...(await confined()), ...variables, IMAGE);
      return openContainer(podman, name, environment);
    },
  };
}

/** As compose.yaml has it. podman by itself would raise limits above those of this machine, and may not. */
export async function confined(): Promise<string[]> {
  const limits = await readFile('/proc/self/limits', 'utf8');
  const ulimit = (name: string, title: string, most: number) => {
    const hard = Number(new RegExp(`^${title} +\\S+ +(\\d+)`, 'm').exec(limits)?.[1] ?? most);
    return `--ulimit=${name}=${Math.min(hard, most)}:${Math.min(hard, most)}`;
  };
  return [
    '--network=host',
    '--read-only',
    '--read-only-tmpfs=false',
    '--cap-drop=all',
    '--security-opt=no-new-privileges',
    ulimit('nofile', 'Max open files', 16_384),
    ulimit('nproc', 'Max processes', 4096),
  ];
}

function openContainer(
  podman: Containers['podman'],
  name: string,
  { HTTP_PORT = '', MGMT_HTTP_PORT = '' }: Readonly<Record<string, string>>,
): Container {
  const management = new HttpClient(`http://127.0.0.1:${MGMT_HTTP_PORT}`);
  const state = async (field: string) =>
    (await podman('inspect', `--format={{.State.${field}}}`, name)).stdout.trim();
  return {
    host: `127.0.0.1:${HTTP_PORT}`,
    management,
    ready: async () => {
      await waitUntil(`${name} to be ready`, async () => {
        if ((await state('Running')) === 'true') return isReady(management);
        const { screen } = await podman('logs', name);
        throw new Error(`${name} ended:\n${screen}`);
      });
    },
    async peakMemoryBytes() {
      const status = await readFile(`/proc/${await state('Pid')}/status`, 'utf8');
      return Number(/^VmHWM:\s+(\d+) kB/m.exec(status)?.[1]) * 1024;
    },
    async stop(graceSeconds) {
      await podman('stop', `--time=${graceSeconds}`, name);
      return Number(await state('ExitCode'));
    },
  };
}

async function isReady(management: HttpClient): Promise<boolean> {
  const answer = await management.send('GET', '/health/ready').catch(() => undefined);
  return answer?.status === 200;
}

async function importBase(store: readonly string[], name: string, root: string): Promise<void> {
  const buildah = (...args: readonly string[]) => run('buildah', [...store, ...args]);
  const container = (await buildah('from', 'scratch')).stdout.trim();
  await buildah('add', '--quiet', container, root, '/');
  await buildah('commit', '--quiet', container, name);
  await buildah('rm', container);
}

function buildArguments(values: Readonly<Record<string, string>>): string[] {
  return Object.entries(values).map(([name, value]) => `--build-arg=${name}=${value}`);
}

/** As `npm ci` had it, which filled the cache. */
async function npmSetting(name: string): Promise<string> {
  return (await run('npm', ['config', 'get', name], { cwd: ROOT })).stdout.trim();
}
