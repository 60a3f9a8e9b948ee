import { readFile, rm, writeFile } from 'node:fs/promises';
import { JsonValue } from '../json.ts';
import { blobPath, fileDigest } from '../oci-layout.ts';
import { run } from '../process-runner.ts';
import type { Workspace } from '../workspace.ts';
import type { LoginClient, MeasurableClient, PulledImage } from './image-client.ts';

/**
 * `skopeo copy`. With --preserve-digests always: otherwise it replaces layers by others of the same
 * content that it remembers from earlier copies.
 */
export async function copyImage(
  source: string,
  target: string,
  ...options: readonly string[]
): Promise<void> {
  const insecure = ['--src-tls-verify=false', '--dest-tls-verify=false'];
  await run('skopeo', ['copy', '--preserve-digests', ...insecure, ...options, source, target]);
}

/** skopeo has no store: it pulls into a layout directory of its own. */
export async function createSkopeoClient(
  workspace: Workspace,
): Promise<LoginClient & MeasurableClient> {
  const sources = new Map<string, string>();
  const sourceOf = (reference: string) => {
    const source = sources.get(reference);
    if (source === undefined) throw new Error(`${reference} was not loaded`);
    return source;
  };
  const directory = workspace.path('skopeo');
  const authFile = `--authfile=${workspace.path('skopeo-auth.json')}`;
  const forgetLogins = () => writeFile(workspace.path('skopeo-auth.json'), '{}');
  await forgetLogins();
  const fetch = async (reference: string) => {
    const target = `oci:${directory}:pulled`;
    await copyImage(`docker://${reference}`, target, authFile);
    sources.set(reference, target);
  };
  return {
    load: async (image, reference) => void sources.set(reference, image.source),
    async push(reference) {
      await copyImage(sourceOf(reference), `docker://${reference}`, authFile);
    },
    async forget(reference) {
      sources.delete(reference);
      await rm(directory, { recursive: true, force: true });
    },
    fetch,
    inspect: () => readLayout(directory),
    async pull(reference) {
      await fetch(reference);
      return readLayout(directory);
    },
    tag: async (reference, other) => void sources.set(other, sourceOf(reference)),
    async login(host, { user, password }) {
      // Not by --password-stdin, which takes the line breaks out of a password.
      const credentials = ['--username', user, '--password', password];
      await run('skopeo', ['login', '--tls-verify=false', authFile, ...credentials, host]);
    },
    logout: forgetLogins,
  };
}

/** Its layers are plain, so that the digests of the files are those of the contents. */
async function readLayout(directory: string): Promise<PulledImage> {
  const index = JsonValue.parse(await readFile(`${directory}/index.json`, 'utf8'));
  const manifestDigest = index.at('manifests', 0, 'digest').text;
  const manifest = JsonValue.parse(await readFile(blobPath(directory, manifestDigest), 'utf8'));
  const layers = manifest.at('layers').items.map((layer) => layer.at('digest').text);
  return {
    manifestDigest: await fileDigest(blobPath(directory, manifestDigest)),
    configDigest: await fileDigest(blobPath(directory, manifest.at('config', 'digest').text)),
    diffIds: await Promise.all(layers.map((digest) => fileDigest(blobPath(directory, digest)))),
  };
}
