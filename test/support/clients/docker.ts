import { rm } from 'node:fs/promises';
import type { Dockerd } from '../dockerd.ts';
import { JsonValue } from '../json.ts';
import { run } from '../process-runner.ts';
import type { Workspace } from '../workspace.ts';
import type { LoginClient, MeasurableClient, PulledImage } from './image-client.ts';

export function createDockerClient(
  workspace: Workspace,
  dockerd: Dockerd,
): LoginClient & MeasurableClient {
  const fetch = async (reference: string) => void (await dockerd.docker('pull', reference));
  return {
    async load(image, reference) {
      const archive = workspace.path('docker-archive.tar');
      await run('skopeo', ['copy', image.source, `docker-archive:${archive}:${reference}`]);
      await dockerd.docker('load', '--input', archive);
      await rm(archive);
    },
    push: async (reference) => void (await dockerd.docker('push', reference)),
    forget: async (reference) => void (await dockerd.docker('image', 'rm', '--force', reference)),
    fetch,
    inspect: (reference) => inspect(dockerd, reference),
    async pull(reference) {
      await fetch(reference);
      return inspect(dockerd, reference);
    },
    tag: async (reference, other) => void (await dockerd.docker('tag', reference, other)),
    async login(host, { user, password }) {
      await dockerd.dockerWith(password, 'login', '--username', user, '--password-stdin', host);
    },
    logout: async (host) => void (await dockerd.docker('logout', host)),
  };
}

async function inspect(dockerd: Dockerd, reference: string): Promise<PulledImage> {
  const { stdout } = await dockerd.docker('image', 'inspect', reference);
  const image = JsonValue.parse(stdout).at(0);
  const name = reference.slice(0, reference.lastIndexOf(':'));
  const digests = image.at('RepoDigests').texts.filter((text) => text.startsWith(`${name}@`));
  return {
    manifestDigest: digests.map((text) => text.slice(name.length + 1)).join(),
    configDigest: image.at('Id').text,
    diffIds: image.at('RootFS', 'Layers').texts,
  };
}
