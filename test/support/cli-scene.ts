import { expect } from 'vitest';
import { AccessClient, pushImage } from './access-client.ts';
import { type AccessRegistry, startAccessRegistry } from './access-registry.ts';
import { bearer } from './access-scene.ts';
import { cliIn, type RunCli } from './pierone-command.ts';
import {
  expectStatus,
  OCI_MANIFEST,
  pushBlob,
  putManifest,
  randomSample,
  sampleOf,
} from './sample-content.ts';
import { createWorkspace } from './workspace.ts';

/** What acme/shop:1.1 was built from. */
export const SOURCE = {
  url: 'git:https://git.example.org/acme/shop.git',
  revision: '0123456789abcdef0123456789abcdef01234567',
};

/** A registry with access control, a few images in it, and the command as jdoe of acme has it. */
export interface CliScene {
  readonly registry: AccessRegistry;
  readonly pierone: RunCli;
  /** Of acme/shop:1.1 */
  readonly digest: string;
  /** Runs a command that must succeed, and say nothing but its result. @returns that */
  succeed(...args: readonly string[]): Promise<string>;
  /** The rows that it prints as JSON. */
  json(...args: readonly string[]): Promise<Record<string, unknown>[]>;
  close(): Promise<void>;
}

export async function openCliScene(): Promise<CliScene> {
  const workspace = await createWorkspace();
  const registry = await startAccessRegistry(workspace);
  const digest = await pushImages(registry);
  const PIERONE_TOKEN = registry.loginOf('jdoe').password;
  const pierone = cliIn(workspace, { PIERONE_URL: registry.server.url, PIERONE_TOKEN });
  const succeed = async (...args: readonly string[]) => {
    const { exitCode, stdout, stderr } = await pierone(args);
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
    return stdout;
  };
  return {
    registry,
    pierone,
    digest,
    succeed,
    async json(...args) {
      const rows: unknown = JSON.parse(await succeed(...args, '-o', 'json'));
      if (!Array.isArray(rows)) throw new Error('no list');
      return rows.map((row) => ({ ...row }));
    },
    close: () => workspace.dispose(),
  };
}

/** @returns the digest of acme/shop:1.1 */
async function pushImages(registry: AccessRegistry): Promise<string> {
  const clientOf = (who: 'jdoe' | 'mallory' | 'stups_builder') =>
    new AccessClient(registry.server.url, bearer(registry.loginOf(who).password));
  const jdoe = clientOf('jdoe');
  await expectStatus(pushImage(jdoe, 'acme/shop', '1.0'), 201);
  const digest = await pushWithSource(jdoe, 'acme/shop', '1.1');
  await expectStatus(pushImage(jdoe, 'acme/shop', '2.0-SNAPSHOT'), 201);
  await expectStatus(pushImage(jdoe, 'acme/shop/web', '1.0'), 201);
  await expectStatus(pushImage(jdoe, 'acme/nightly', '1-SNAPSHOT'), 201);
  await expectStatus(pushImage(clientOf('stups_builder'), 'tools/base', '1'), 201);
  await expectStatus(pushImage(jdoe, 'acme/shop', '1.0'), 409);
  await expectStatus(clientOf('mallory').send('POST', '/v2/acme/shop/blobs/uploads/'), 403);
  return digest;
}

async function pushWithSource(client: AccessClient, repository: string, tag: string) {
  const config = randomSample(100);
  await pushBlob(client, repository, config);
  const document = {
    schemaVersion: 2,
    mediaType: OCI_MANIFEST,
    config: {
      mediaType: 'application/vnd.oci.image.config.v1+json',
      digest: config.digest,
      size: config.bytes.length,
    },
    layers: [],
    annotations: {
      'org.opencontainers.image.source': SOURCE.url,
      'org.opencontainers.image.revision': SOURCE.revision,
    },
  };
  const manifest = sampleOf(Buffer.from(JSON.stringify(document)));
  await expectStatus(putManifest(client, repository, tag, manifest), 201);
  return manifest.digest;
}
