import { chmod, lstat, mkdir, readdir, stat, symlink } from 'node:fs/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type AccessScene, openAccessScene } from '../support/access-scene.ts';
import { type CliHome, makeHome } from '../support/pierone-command.ts';
import type { TestRegistry } from '../support/test-registry.ts';

/* What `pierone login` and `pierone logout` do to the files of docker and podman. */

const CONFIG = '.docker/config.json';
const STATE = '.local/state/pierone/logins.json';

let scene: AccessScene;
let registry: TestRegistry;
let host: string;
let token: string;
let home: CliHome;

beforeAll(async () => {
  scene = await openAccessScene();
  registry = await scene.start();
  ({ host } = new URL(registry.url));
  token = scene.provider.issueToken('alice');
});
afterAll(() => scene.close());
beforeEach(async () => {
  home = await makeHome({ PIERONE_URL: registry.url, PIERONE_TOKEN: token });
});
afterEach(() => home.remove());

async function configured(name = CONFIG): Promise<unknown> {
  const config: unknown = JSON.parse(await home.read(name));
  return config;
}

async function modeOf(name: string): Promise<number> {
  return (await stat(home.path(name))).mode & 0o777;
}

test('the first registry is the one of other commands from then on', async () => {
  const { url } = registry;
  const config = '.config/pierone/pierone.yaml';

  await home.pierone(['login', '--url', url], { PIERONE_URL: 'https://other.example.org' });
  expect(await readdir(home.directory)).not.toContain('.config');
  await home.pierone(['login', '--url', url], { PIERONE_URL: '' });
  expect(await home.read(config)).toBe(`url: ${url}\n`);
  expect(await modeOf(config)).toBe(0o600);
  expect(await home.pierone(['whoami'], { PIERONE_URL: '' })).toMatchObject({ exitCode: 0 });

  await home.write(config, `url: https://first.example.org # ours\n`);
  await home.pierone(['login', '--url', url], { PIERONE_URL: '' });
  expect(await home.read(config)).toBe(`url: https://first.example.org # ours\n`);
});

describe('docker’s configuration', () => {
  test('is made for its owner alone, and names the helper for the host with its port', async () => {
    const { exitCode, stdout } = await home.pierone(['login']);

    expect({ exitCode, stdout }).toEqual({
      exitCode: 0,
      stdout: expect.stringMatching(`^Logged in to ${host}.*\n$`),
    });
    expect(await configured()).toEqual({ credHelpers: { [host]: 'pierone' } });
    expect(await home.read(CONFIG)).toBe(
      `{\n\t"credHelpers": {\n\t\t"${host}": "pierone"\n\t}\n}\n`,
    );
    expect(await modeOf(CONFIG)).toBe(0o600);
    expect(await modeOf(STATE)).toBe(0o600);
    expect(await modeOf('.local/state/pierone')).toBe(0o700);
  });

  test('keeps all that is of others, and loses the secrets of this host', async () => {
    const others = {
      auths: {
        'https://index.docker.io/v1/': { auth: 'b3RoZXI6c2VjcmV0' },
        [`${host}/acme`]: { auth: 'YTpi' },
      },
      credHelpers: { 'gcr.io': 'gcloud' },
      credsStore: 'secretservice',
      HttpHeaders: { 'User-Agent': 'Docker-Client/28' },
      psFormat: 'table {{.ID}}',
    };
    const own = { [host]: { auth: 'YTpi' }, [`${registry.url}/v2/`]: { auth: 'YTpi' } };
    const before = { ...others, auths: { ...others.auths, ...own } };
    await home.write(CONFIG, `${JSON.stringify(before, undefined, 4)}\n`);
    await chmod(home.path(CONFIG), 0o640);

    await home.pierone(['login']);

    const after = { ...others, credHelpers: { ...others.credHelpers, [host]: 'pierone' } };
    expect(await home.read(CONFIG)).toBe(`${JSON.stringify(after, undefined, 4)}\n`);
    expect(await modeOf(CONFIG)).toBe(0o640);
  });

  test('is where DOCKER_CONFIG says', async () => {
    await home.pierone(['login'], { DOCKER_CONFIG: home.path('elsewhere') });

    expect(await configured('elsewhere/config.json')).toEqual({
      credHelpers: { [host]: 'pierone' },
    });
    expect(await readdir(home.directory)).not.toContain('.docker');
  });

  test('stays a link, and its target is changed, or made', async () => {
    await mkdir(home.path('.docker'));
    await symlink('../dotfiles/docker.json', home.path(CONFIG));
    await mkdir(home.path('dotfiles'));

    await home.pierone(['login']);

    expect((await lstat(home.path(CONFIG))).isSymbolicLink()).toBe(true);
    expect(await configured('dotfiles/docker.json')).toEqual({
      credHelpers: { [host]: 'pierone' },
    });
    await home.pierone(['logout']);
    expect((await lstat(home.path(CONFIG))).isSymbolicLink()).toBe(true);
    expect(await configured('dotfiles/docker.json')).toEqual({ credHelpers: {} });
  });

  test.each([
    { what: 'no JSON', content: '{"auths": {', says: 'it is no JSON' },
    { what: 'no object', content: '[]\n', says: 'it is no JSON object' },
    {
      what: 'auths that are no object',
      content: '{"auths": []}',
      says: 'its "auths" is no JSON object',
    },
  ])('with $what is an error, and nothing is touched', async ({ content, says }) => {
    await home.write(CONFIG, content);
    await home.write('podman.json', '{}');

    const { exitCode, stderr } = await home.pierone(['login', '--auth-file', 'podman.json']);

    expect({ exitCode, stderr }).toEqual({ exitCode: 2, stderr: expect.stringContaining(says) });
    expect(await home.read(CONFIG)).toBe(content);
    expect(await home.read('podman.json')).toBe('{}');
    expect(await readdir(home.path('.docker'))).toEqual(['config.json']);
    expect(await readdir(home.directory)).not.toContain('.local');
  });

  test('has the logins of all who log in at the same time', async () => {
    const urls = [registry.url, registry.url.replace('127.0.0.1', 'localhost')];

    const results = await Promise.all(
      [...urls, ...urls].map((url) => home.pierone(['login', '--url', url])),
    );

    expect(results.map(({ exitCode, stderr }) => (exitCode === 0 ? 0 : stderr))).toEqual(
      results.map(() => 0),
    );
    const hosts = urls.map((url) => new URL(url).host);
    expect(await configured()).toEqual({
      credHelpers: Object.fromEntries(hosts.map((name) => [name, 'pierone'])),
    });
    const { stdout } = await home.helper('list', '');
    expect(JSON.parse(stdout)).toEqual(Object.fromEntries(hosts.map((name) => [name, 'oauth2'])));
    expect(await readdir(home.path('.docker'))).toEqual(['config.json']);
  });
});

describe('podman’s auth.json', () => {
  test.each([
    { what: 'where podman has it', args: ['--podman'], name: 'run/containers/auth.json', env: {} },
    { what: 'where --auth-file says', args: ['--auth-file', 'a.json'], name: 'a.json', env: {} },
    {
      what: 'where REGISTRY_AUTH_FILE says',
      args: ['--podman'],
      name: 'b.json',
      env: { REGISTRY_AUTH_FILE: 'b.json' },
    },
  ])('is written beside docker’s: $what', async ({ args, name, env }) => {
    await home.write(name, '');

    await home.pierone(['login', ...args], env);

    expect(await configured(name)).toEqual({ credHelpers: { [host]: 'pierone' } });
    expect(await configured()).toEqual({ credHelpers: { [host]: 'pierone' } });
  });
});

test('--no-credential-helper writes the token itself, and says so', async () => {
  await home.pierone(['login']);

  const { stderr } = await home.pierone(['login', '--no-credential-helper']);

  const auth = Buffer.from(`oauth2:${token}`).toString('base64');
  expect(await configured()).toEqual({ credHelpers: {}, auths: { [host]: { auth } } });
  expect(stderr).toContain('until it expires');
  expect((await home.helper('get', host)).exitCode).toBe(1);
});

test('logout removes what login has written, and nothing else', async () => {
  const before =
    '{"auths": {"example.org": {"auth": "YTpi"}}, "credHelpers": {"gcr.io": "gcloud"}}';
  await home.write(CONFIG, before);
  await home.pierone(['login', '--podman', '--token', token]);

  const { stdout } = await home.pierone(['logout']);

  expect(stdout).toBe(`Logged out of ${host}.\n`);
  expect(await configured()).toEqual(JSON.parse(before));
  expect(await configured('run/containers/auth.json')).toEqual({ credHelpers: {} });
  expect(await home.read(STATE)).not.toContain(token);
  expect((await home.helper('get', host)).stdout).toBe(
    'credentials not found in native keychain\n',
  );
  expect((await home.pierone(['logout'])).stdout).toBe(`You were not logged in to ${host}.\n`);
});

test('a token that the registry does not accept changes nothing', async () => {
  const { exitCode, stderr } = await home.pierone(['login'], { PIERONE_TOKEN: 'unknown' });

  expect(exitCode).toBe(3);
  expect(stderr).toContain('does not accept the token from PIERONE_TOKEN');
  expect(await readdir(home.directory)).not.toContain('.docker');
});
