import { mkdir, readFile, symlink } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { copyImage } from '../support/clients/skopeo.ts';
import { findFreePorts } from '../support/free-ports.ts';
import { JsonValue } from '../support/json.ts';
import { makeImage } from '../support/oci-layout.ts';
import { run, startInBackground } from '../support/process-runner.ts';
import { endProcess, processesBelow } from '../support/process-table.ts';
import { getManifest } from '../support/registry-api.ts';
import { waitUntil } from '../support/wait-until.ts';
import { createWorkspace, type Workspace } from '../support/workspace.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const INSTALL_TIMEOUT_MS = 300_000;

let workspace: Workspace;

beforeEach(async () => {
  workspace = await createWorkspace();
});
afterEach(() => workspace.dispose());

/** What is packed; `npm test` has built it. @returns the paths of its files, below the package */
async function pack(): Promise<{ tarball: string; files: string[] }> {
  const options = ['--ignore-scripts', '--json', `--pack-destination=${workspace.directory}`];
  const { stdout } = await run('npm', ['pack', ...options], { cwd: ROOT });
  const packed = JsonValue.parse(stdout).at(0);
  return {
    tarball: workspace.path(packed.at('filename').text),
    files: packed.at('files').items.map((file) => file.at('path').text),
  };
}

/** What npx runs: the server, or the command of which it is a part. */
async function command(): Promise<string[]> {
  const { bin } = JSON.parse(await readFile(`${ROOT}/package.json`, 'utf8'));
  return bin.pierone === 'dist/main.js' ? ['pierone'] : ['pierone', 'serve'];
}

/** npm's cache with a place of its own for what npx installs. */
async function makeCache(): Promise<string> {
  const cache = (await run('npm', ['config', 'get', 'cache'], { cwd: ROOT })).stdout.trim();
  await mkdir(workspace.path('npm'));
  await symlink(`${cache}/_cacache`, workspace.path('npm', '_cacache'));
  return workspace.path('npm');
}

test('the packed tarball starts by npx in an empty folder, and serves a push', async () => {
  const { tarball, files } = await pack();
  const folders = new Set(files.map((file) => file.split('/')[0] ?? ''));
  expect([...folders].toSorted()).toEqual([
    'ARCHITECTURE.md',
    'CHANGELOG.md',
    'LICENSE',
    'README.md',
    'deploy',
    'dist',
    'docs',
    'package.json',
  ]);
  const empty = workspace.path('empty');
  await mkdir(empty);
  const [port = 0] = await findFreePorts(1);
  const server = startInBackground(
    'npx',
    ['--yes', '--prefer-offline', `--package=${tarball}`, '--', ...(await command())],
    {
      cwd: empty,
      env: {
        NPM_CONFIG_CACHE: await makeCache(),
        HTTP_PORT: String(port),
        MGMT_HTTP_PORT: '0',
      },
    },
  );
  // npx's shell doesn't hand signals on.
  workspace.defer(async () => {
    const started = await processesBelow(empty);
    const program = started.find(({ commandLine }) => /\.bin\/pierone( |$)/.test(commandLine));
    if (program) await endProcess(program.pid);
    await server.end();
  });
  await waitUntil(
    'the server',
    () => {
      if (!server.isRunning()) throw new Error(`it ended:\n${server.screen()}`);
      return server.screen().includes('Pier One listens on');
    },
    INSTALL_TIMEOUT_MS,
  );

  const image = await makeImage(workspace.path('image'), { layers: 2, layerBytes: 100_000 });
  await copyImage(image.source, `docker://127.0.0.1:${port}/acme/app:1.0`);

  const served = await getManifest(`http://127.0.0.1:${port}`, 'acme/app', '1.0');
  expect(served.digest).toBe(image.manifestDigest);
});
