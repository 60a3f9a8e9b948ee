import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { AccessClient, pushImage } from '../support/access-client.ts';
import { bearer } from '../support/access-scene.ts';
import { copyImage } from '../support/clients/skopeo.ts';
import { readCompose } from '../support/compose.ts';
import {
  buildImage,
  type Container,
  type Containers,
  confined,
  IMAGE,
  RUNTIME_BASE,
} from '../support/containers.ts';
import { findFreePorts } from '../support/free-ports.ts';
import { HttpClient } from '../support/http-client.ts';
import { startIdentityProvider } from '../support/identity-provider.ts';
import { startComposeNginx, startNginx } from '../support/nginx.ts';
import { makeImage } from '../support/oci-layout.ts';
import { query, startPostgres } from '../support/postgres.ts';
import { startPostgresProxy } from '../support/postgres-proxy.ts';
import { expectStatus, randomSample, startUpload } from '../support/sample-content.ts';
import { createBucket, credentialsFor, sharedRgw } from '../support/shared-rgw.ts';
import { waitUntil } from '../support/wait-until.ts';
import { createWorkspace, type Workspace } from '../support/workspace.ts';

const MIB = 1024 ** 2;
const GIB = 1024 ** 3;
const BUILD_TIMEOUT_MS = 900_000;
/** What it may be with a base of this size; that of the tests is smaller. */
const MAX_IMAGE_BYTES = 250_000_000;
const BASE_BYTES = 40_000_000;
/** Of layers of 1 GiB. */
const MAX_MEMORY_BYTES = 400 * MIB;
const SCM_TIMEOUT_MS = 120_000;

let built: Workspace;
let containers: Containers;
/** What it is built from. */
let head: string;
/** Of a test of the image, or of the services. */
let workspace: Workspace;

beforeAll(async () => {
  built = await createWorkspace();
  const environment = makeGitEnvironment(built);
  head = git(environment, 'rev-parse', 'HEAD');
  containers = await buildImage(built, environment);
}, BUILD_TIMEOUT_MS);
afterAll(() => built?.dispose());

/** For git, also where the sources belong to somebody else, or are no repository: then they are one for this run. */
function makeGitEnvironment(place: Workspace): Readonly<Record<string, string>> {
  const trust = {
    GIT_CONFIG_COUNT: '1',
    GIT_CONFIG_KEY_0: 'safe.directory',
    GIT_CONFIG_VALUE_0: '*',
  };
  if (existsSync('.git')) return trust;
  const environment = { ...trust, GIT_DIR: place.path('git'), GIT_WORK_TREE: process.cwd() };
  git(environment, 'init', '--quiet');
  const author = ['-c', 'user.name=test', '-c', 'user.email=test@example.org'];
  git(environment, ...author, 'commit', '--quiet', '--allow-empty', '--message=test');
  return environment;
}

function git(environment: Readonly<Record<string, string>>, ...words: string[]): string {
  const env = { ...process.env, ...environment };
  return execFileSync('git', words, { encoding: 'utf8', env }).trim();
}

async function openWorkspace(): Promise<void> {
  workspace = await createWorkspace();
}

async function endContainers(): Promise<void> {
  await containers.podman('rm', '--all', '--force', '--volumes', '--time=0');
  await workspace.dispose();
}

/** On loopback, and on ports that are free here. */
async function places(): Promise<Record<string, string>> {
  const [http = 0, management = 0] = await findFreePorts(2);
  return {
    HTTP_HOST: '127.0.0.1',
    HTTP_PORT: String(http),
    MGMT_HTTP_HOST: '127.0.0.1',
    MGMT_HTTP_PORT: String(management),
  };
}

describe('the image', () => {
  beforeEach(openWorkspace);
  afterEach(endContainers);

  test('has no other platform’s binaries, no cache and no user but its own, and is small', async () => {
    const sizeOf = async (image: string) =>
      Number((await containers.podman('image', 'inspect', '--format={{.Size}}', image)).stdout);
    const bytes = (await sizeOf(IMAGE)) - (await sizeOf(RUNTIME_BASE));
    console.log(`the image: ${Math.round(bytes / 1e6)} MB without its base`);
    expect(bytes).toBeLessThan(MAX_IMAGE_BYTES - BASE_BYTES);

    const look =
      'echo node_modules/uWebSockets.js/*.node node_modules/@koromix/*/*/*.node /root/.npm* /opt/pierone/src*';
    const { stdout } = await containers.podman(
      'run',
      '--rm',
      ...(await confined()),
      '--entrypoint=/bin/sh',
      IMAGE,
      '-c',
      look,
    );
    const { platform, arch, versions } = process;
    const binary = `node_modules/uWebSockets.js/uws_${platform}_${arch}_${versions.modules}.node`;
    const koffi = `node_modules/@koromix/koffi-${platform}-${arch}/${platform}_${arch}/koffi.node`;
    expect(stdout.trim()).toBe(`${binary} ${koffi} /root/.npm* /opt/pierone/src*`);
  });

  test('refuses to run without access control where others reach it, and says how to', async () => {
    const { exitCode, stderr } = await containers.tryPodman(
      'run',
      '--rm',
      ...(await confined()),
      IMAGE,
    );
    expect(exitCode).toBe(1);
    expect(stderr).toContain('docker run -e HTTP_ALLOW_UNPROTECTED=true');
  });

  test('takes and gives a layer of 1 GiB through nginx in constant memory, and stores its own image', async () => {
    const container = await containers.start('alone', await places());
    await container.ready();
    await containers.podman('healthcheck', 'run', 'alone');
    const nginx = await startNginx(workspace, { registry: container.host });
    const host = new URL(nginx.urls[0] ?? '').host;
    const image = await makeImage(workspace.path('image'), { layers: 1, layerBytes: GIB });

    await copyImage(image.source, `docker://${host}/acme/large:1.0`);
    await copyImage(`docker://${host}/acme/large:1.0`, `oci:${workspace.path('copy')}:image`);

    const peakBytes = await container.peakMemoryBytes();
    console.log(`memory at most: ${Math.round(peakBytes / MIB)} MiB`);
    expect(peakBytes).toBeLessThan(MAX_MEMORY_BYTES);
    await containers.podman('push', '--tls-verify=false', IMAGE, `${host}/tools/pierone:0.1.0`);
    await expectOwnSource(new HttpClient(`http://${container.host}`));
    expect(await container.stop(10)).toBe(0);
  });

  async function expectOwnSource(api: HttpClient): Promise<void> {
    const path = '/teams/tools/artifacts/pierone/tags/0.1.0/scm-source';
    const source = await waitUntil(
      'the source of the image',
      async () => {
        const { status, body } = await api.send('GET', path);
        const found = status === 200 ? JSON.parse(body.toString()) : undefined;
        // The image's labels are known sooner than the file in its layer, and count less.
        return found?.url.startsWith('git:') ? found : undefined;
      },
      SCM_TIMEOUT_MS,
    );
    expect(source.revision.split(' ')[0]).toBe(head);
  }
});

describe('the services of compose.yaml and compose.access.yaml', () => {
  let token: string;
  let instances: [Container, Container];
  let url: string;

  beforeAll(async () => {
    await openWorkspace();
    const provider = await startIdentityProvider();
    workspace.defer(() => provider.close());
    provider.addEmployee({ uid: 'jdoe', teams: ['acme'] });
    token = provider.issueToken('jdoe');
    const postgres = await startPostgres();
    workspace.defer(() => postgres.stop());
    await query(postgres.url, 'create role pierone superuser login');
    const database = await startPostgresProxy(postgres.url);
    workspace.defer(() => database.close());
    const rgw = await sharedRgw();
    const compose = await readCompose('compose.yaml', 'compose.access.yaml');
    // Where they are here.
    const addresses: Readonly<Record<string, string>> = {
      'identity-provider:9000': new URL(provider.issuer).host,
      'postgres:5432': new URL(database.url).host,
      's3:7070': new URL(rgw.endpoint).host,
    };
    const start = async (service: string) => {
      const environment = Object.entries(compose.at('services', service, 'environment').record).map(
        ([name, value]) => [name, replaceAll(value, addresses)],
      );
      const settings = { ...Object.fromEntries(environment), ...credentialsFor(rgw) };
      return containers.start(service, { ...settings, ...(await places()) });
    };
    instances = [await start('pierone-1'), await start('pierone-2')];
    // The order doesn't matter: it comes when they ask for it already.
    await waitUntil('the wait for the bucket', async () => {
      const { screen } = await containers.podman('logs', 'pierone-2');
      return screen.includes('there is no bucket');
    });
    const bucket = await createBucket(rgw, compose.at(...BUCKET).text);
    workspace.defer(() => bucket.dispose());
    await Promise.all(instances.map((instance) => instance.ready()));
    url = await startComposeNginx(workspace, [instances[0].host, instances[1].host]);
  });
  afterAll(endContainers);

  test('share an upload behind nginx, and ask who is there', async () => {
    const blob = randomSample(6 * MIB);
    const jdoe = new AccessClient(url, bearer(token));
    await expectStatus(new HttpClient(url).send('POST', '/v2/acme/app/blobs/uploads/'), 401);
    const path = await startUpload(jdoe, 'acme/app');
    for (let from = 0; from < blob.bytes.length; from += MIB) {
      const headers = { 'Content-Range': `${from}-${from + MIB - 1}` };
      const body = blob.bytes.subarray(from, from + MIB);
      await expectStatus(jdoe.send('PATCH', path, { headers, body }), 202);
    }
    await expectStatus(jdoe.send('PUT', `${path}?digest=${blob.digest}`), 201);

    const { body } = await jdoe.send('GET', `/v2/acme/app/blobs/${blob.digest}`);
    expect(body.equals(blob.bytes)).toBe(true);
    for (const { management } of instances) {
      const metrics = (await management.send('GET', '/metrics')).body.toString();
      const bytes = /^pierone_uploaded_bytes_total (\d+)$/m.exec(metrics)?.[1];
      expect(Number(bytes)).toBeGreaterThanOrEqual(MIB);
    }
  });

  test('then end one after the other under load: no client notices, and their exit codes are 0', async () => {
    const compose = await readCompose('compose.yaml');
    const grace = Number.parseInt(compose.at('services', 'pierone-1', 'stop_grace_period').text);
    const credentials = ['--dest-creds', `oauth2:${token}`];
    const over = new AbortController();
    let pushed = 0;
    const push = async (client: number) => {
      for (let n = 0; !over.signal.aborted; n += 1) {
        const wish = { layers: 2, layerBytes: 4 * MIB };
        const image = await makeImage(workspace.path(`image-${client}-${n}`), wish);
        const target = `docker://${new URL(url).host}/acme/client-${client}:${n}`;
        await copyImage(image.source, target, ...credentials);
        pushed += 1;
      }
    };
    const ends = async () => {
      for (const [name, instance] of [
        ['pierone-1', instances[0]],
        ['pierone-2', instances[1]],
      ] as const) {
        await delay(2000);
        expect(await instance.stop(grace)).toBe(0);
        // Without privileges it could refuse connections before it closed the port.
        const { screen } = await containers.podman('logs', name);
        expect(screen).not.toContain('may be lost');
        await containers.podman('start', name);
        await instance.ready();
      }
    };

    await Promise.all([...[1, 2, 3].map(push), ends().finally(() => over.abort())]);

    console.log(`${pushed} images were pushed`);
    const jdoe = new AccessClient(url, bearer(token));
    await expectStatus(pushImage(jdoe, 'acme/after', '1.0'), 201);
  });
});

const BUCKET = ['services', 'pierone-1', 'environment', 'STORAGE_S3_BUCKET'];

function replaceAll(text: string, replacements: Readonly<Record<string, string>>): string {
  return Object.entries(replacements).reduce((all, [from, to]) => all.replaceAll(from, to), text);
}
