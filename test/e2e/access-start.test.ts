import { networkInterfaces } from 'node:os';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createSkopeoClient } from '../support/clients/skopeo.ts';
import { startIdentityProvider } from '../support/identity-provider.ts';
import { makeImage } from '../support/oci-layout.ts';
import { execute } from '../support/process-runner.ts';
import { startServerIn, storageDirectory } from '../support/server-in-workspace.ts';
import { waitUntil } from '../support/wait-until.ts';
import { createWorkspace, type Workspace } from '../support/workspace.ts';

const MAIN = fileURLToPath(new URL('../../dist/main.js', import.meta.url));
/** For documentation (RFC 5737): no machine has it, so that nothing is ever opened to others. */
const ELSEWHERE = '192.0.2.1';
const NOT_HERE = `can't listen on ${ELSEWHERE}`;

let workspace: Workspace;

beforeEach(async () => {
  workspace = await createWorkspace();
});
afterEach(() => workspace.dispose());

describe('with nothing configured', () => {
  test('everyone may push and pull, also with a login from elsewhere', async () => {
    const { host, stderr } = await startServerIn(workspace);
    const skopeo = await createSkopeoClient(workspace);
    const image = await makeImage(workspace.path('image'), { layers: 1, layerBytes: 20_000 });
    for (const login of [undefined, { user: 'oauth2', password: 'of-another-registry' }]) {
      const reference = `${host}/acme/${login ? 'with' : 'without'}-login:1.0`;
      if (login) await skopeo.login(host, login);
      await skopeo.load(image, reference);
      await skopeo.push(reference);
      await skopeo.forget(reference);
      expect((await skopeo.pull(reference)).diffIds).toEqual(image.diffIds);
    }
    await waitUntil('the warning', () => stderr.join('\n').includes('Nothing is protected'));
  });

  test('the registry listens on 127.0.0.1 alone', async () => {
    const { url } = await startServerIn(workspace);
    const { hostname, port } = new URL(url);
    const others = Object.values(networkInterfaces())
      .flatMap((addresses) => addresses ?? [])
      .filter(({ address, family }) => family === 'IPv4' && address !== hostname)
      .map(({ address }) => address);

    expect(hostname).toBe('127.0.0.1');
    for (const address of ['127.0.0.2', ...others]) {
      await expect(fetch(`http://${address}:${port}/v2/`), address).rejects.toThrow('fetch failed');
    }
  });
});

describe('set to listen elsewhere', () => {
  async function startElsewhere(environment: Readonly<Record<string, string>> = {}) {
    const result = await execute(process.execPath, [MAIN], {
      env: {
        HTTP_HOST: ELSEWHERE,
        HTTP_PORT: '0',
        MGMT_HTTP_PORT: '0',
        STORAGE_DIRECTORY: storageDirectory(workspace),
        ...environment,
      },
      timeoutMs: 180_000,
    });
    expect(result.exitCode).toBe(1);
    return result.stderr;
  }

  test('it refuses to start, and names what would protect it', async () => {
    const stderr = await startElsewhere();

    expect(stderr).toContain(`HTTP_HOST is ${ELSEWHERE}`);
    expect(stderr).toContain('HTTP_TOKENINFO_URL');
    expect(stderr).toContain('HTTP_ALLOW_UNPROTECTED=true');
    expect(stderr).not.toContain(NOT_HERE);
  });

  test('public read alone is no protection', async () => {
    const stderr = await startElsewhere({ HTTP_ALLOW_PUBLIC_READ: 'true' });

    expect(stderr).not.toContain(NOT_HERE);
  });

  test('it goes on to listen when that is said to be meant', async () => {
    expect(await startElsewhere({ HTTP_ALLOW_UNPROTECTED: 'true' })).toContain(NOT_HERE);
  });

  test('it goes on to listen with access control', async () => {
    const provider = await startIdentityProvider();
    workspace.defer(() => provider.close());

    expect(await startElsewhere(provider.environment)).toContain(NOT_HERE);
  });
});
