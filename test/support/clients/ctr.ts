import { rm } from 'node:fs/promises';
import type { Containerd } from '../containerd.ts';
import { JsonValue } from '../json.ts';
import { type RunResult, run } from '../process-runner.ts';
import type { Workspace } from '../workspace.ts';
import type { LoginClient, PulledImage } from './image-client.ts';

type Ctr = (...args: readonly string[]) => Promise<RunResult>;

/**
 * containerd's own client, in a namespace of its own. It has no login, so that each command is told
 * who asks; and it shows with --debug alone what a registry says of a refusal.
 */
export function createCtrClient(workspace: Workspace, containerd: Containerd): LoginClient {
  const ctr: Ctr = (...args) =>
    run('ctr', ['--debug', '--address', containerd.socket, '--namespace', 'e2e', ...args]);
  const users = new Map<string, string>();
  const optionsFor = (reference: string) => {
    const user = users.get(reference.slice(0, reference.indexOf('/')));
    return user === undefined ? ['--plain-http'] : ['--plain-http', '--user', user];
  };
  return {
    async load(image, reference) {
      const archive = workspace.path('ctr.tar');
      await run('tar', ['-C', image.directory, '-cf', archive, '.']);
      await ctr('images', 'import', '--no-unpack', '--base-name', 'imported', archive);
      await rm(archive);
      await ctr('images', 'tag', 'imported:image', reference);
      await ctr('images', 'rm', 'imported:image');
    },
    push: async (reference) =>
      void (await ctr('images', 'push', ...optionsFor(reference), reference)),
    forget: async (reference) => void (await ctr('images', 'rm', '--sync', reference)),
    async pull(reference) {
      await ctr('images', 'pull', ...optionsFor(reference), '--snapshotter', 'native', reference);
      return inspect(ctr, reference);
    },
    tag: async (reference, other) => void (await ctr('images', 'tag', reference, other)),
    login: async (host, { user, password }) => void users.set(host, `${user}:${password}`),
    logout: async (host) => void users.delete(host),
  };
}

async function inspect(ctr: Ctr, reference: string): Promise<PulledImage> {
  const { stdout } = await ctr('images', 'ls', `name==${reference}`);
  const manifestDigest = /sha256:[a-f0-9]{64}/.exec(stdout)?.[0] ?? '';
  const manifest = await readContent(ctr, manifestDigest);
  const configDigest = manifest.at('config', 'digest').text;
  const config = await readContent(ctr, configDigest);
  return { manifestDigest, configDigest, diffIds: config.at('rootfs', 'diff_ids').texts };
}

async function readContent(ctr: Ctr, digest: string): Promise<JsonValue> {
  return JsonValue.parse((await ctr('content', 'get', digest)).stdout);
}
