import { JsonValue } from '../json.ts';
import type { Workspace } from '../workspace.ts';
import type { ImageClient } from './image-client.ts';
import { createStoreCommand, loadLayout } from './podman.ts';

/** A buildah with a store of the workspace's own. */
export async function createBuildahClient(workspace: Workspace): Promise<ImageClient> {
  const buildah = await createStoreCommand('buildah', workspace);
  return {
    async load(image, reference) {
      const imageId = await loadLayout(buildah, image);
      await buildah(['tag', imageId, reference]);
    },
    push: async (reference) => void (await buildah(['push', '--tls-verify=false', reference])),
    forget: async () => void (await buildah(['rmi', '--all', '--force'])),
    async pull(reference) {
      await buildah(['pull', '--tls-verify=false', reference]);
      const { stdout } = await buildah(['inspect', '--type', 'image', reference]);
      const image = JsonValue.parse(stdout);
      return {
        manifestDigest: image.at('FromImageDigest').text,
        configDigest: `sha256:${image.at('FromImageID').text}`,
        diffIds: image.at('OCIv1', 'rootfs', 'diff_ids').texts,
      };
    },
  };
}
