import { readdir, rm, stat } from 'node:fs/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type AccessScene, openAccessScene } from '../support/access-scene.ts';
import { startInstanceMetadata } from '../support/instance-metadata.ts';
import { type CliHome, makeHome } from '../support/pierone-command.ts';
import type { TestRegistry } from '../support/test-registry.ts';

/* Where tokens come from, and whom docker-credential-pierone gives them to. Nothing here has a terminal. */

const NOT_FOUND = { exitCode: 1, stdout: 'credentials not found in native keychain\n', stderr: '' };
const SERVICE = 'stups_ci';

let scene: AccessScene;
let registry: TestRegistry;
let host: string;
let home: CliHome;

beforeAll(async () => {
  scene = await openAccessScene();
  scene.provider.addEmployee({ uid: SERVICE, teams: ['acme'], password: 'hunter2' });
  registry = await scene.start();
  ({ host } = new URL(registry.url));
});
afterAll(() => scene.close());
beforeEach(async () => {
  home = await makeHome({ PIERONE_URL: registry.url });
  scene.provider.clear();
});
afterEach(() => home.remove());

function zignFile(token: string, secondsLeft: number): string {
  const created = Math.floor(Date.now() / 1000) - 3600;
  return `other: {access_token: x, creation_time: 1, expires_in: 1}
pierone: {access_token: ${token}, creation_time: ${created}, expires_in: ${3600 + secondsLeft}, scope: [uid]}
`;
}

const CLIENT = JSON.stringify({ client_id: 'pierone', client_secret: 'pierone-secret' });
const USER = (password = 'hunter2') =>
  JSON.stringify({ application_username: SERVICE, application_password: password });

async function writeService(user = USER()): Promise<Readonly<Record<string, string>>> {
  await home.write('credentials/user.json', user);
  await home.write('credentials/client.json', CLIENT);
  return {
    CREDENTIALS_DIR: home.path('credentials'),
    OAUTH2_ACCESS_TOKEN_URL: scene.provider.urlOf('token'),
  };
}

/** What docker would send; undefined when it gets nothing. */
async function secretOf(environment = {}, server = host): Promise<string | undefined> {
  const { exitCode, stdout } = await home.helper('get', server, environment);
  if (exitCode !== 0) return undefined;
  const answer: unknown = JSON.parse(stdout);
  expect(answer).toEqual({ ServerURL: server, Username: 'oauth2', Secret: expect.any(String) });
  return new Map<string, string>(Object.entries(Object(answer))).get('Secret');
}

describe('a token comes from', () => {
  let token: string;

  beforeEach(() => {
    token = scene.provider.issueToken('alice', { token: crypto.randomUUID() });
  });

  test.each([
    { from: 'the option --token', args: () => ['--token', token] },
    { from: 'PIERONE_TOKEN', env: () => ({ PIERONE_TOKEN: token }) },
    {
      from: 'the tokens of zign',
      file: () => ['.config/zalando-token-cli/tokens.yaml', zignFile(token, 1000)] as const,
    },
    { from: 'OAUTH2_ACCESS_TOKENS', env: () => ({ OAUTH2_ACCESS_TOKENS: `a=b,pierone=${token}` }) },
    {
      from: 'a token file in CREDENTIALS_DIR',
      file: () => ['credentials/pierone-token-secret', `${token}\n`] as const,
      env: () => ({ CREDENTIALS_DIR: home.path('credentials') }),
    },
  ])('$from', async ({ args = () => [], env = () => ({}), file }) => {
    const [name, content] = file?.() ?? [];
    if (name !== undefined && content !== undefined) await home.write(name, content);
    const login = await home.pierone(['login', ...args()], env());

    expect(login).toMatchObject({ exitCode: 0, stdout: expect.stringContaining(host) });
    expect(await secretOf(env())).toBe(token);
    expect(await home.pierone(['teams'], env())).toMatchObject({ exitCode: 0 });
  });

  test('each source before those that are named after it', async () => {
    const env: Record<string, string> = await writeService();
    await home.write('credentials/pierone-token-secret', token);
    await home.pierone(['login'], env);
    expect(await secretOf(env)).toBe(token);
    env['OAUTH2_ACCESS_TOKENS'] = 'pierone=fourth';
    expect(await secretOf(env)).toBe('fourth');
    await home.write('.config/zalando-token-cli/tokens.yaml', zignFile('third', 1000));
    expect(await secretOf(env)).toBe('third');
    await home.write('.config/zalando-token-cli/tokens.yaml', zignFile('third', 200));
    expect(await secretOf(env), 'zign’s, five minutes before its end').toBe('fourth');
    env['PIERONE_TOKEN'] = 'second';
    expect(await secretOf(env)).toBe('second');
    expect(scene.provider.count('token')).toBe(0);
  });
});

describe('a service’s user and client files', () => {
  test('give a token that is kept for the next command, with the scope to push where it is had', async () => {
    const env = await writeService();

    expect(await home.pierone(['login'], env)).toMatchObject({ exitCode: 0 });
    const secret = await secretOf(env);

    expect(await secretOf(env)).toBe(secret);
    const asked = scene.provider.requests('token').map(({ body }) => new URLSearchParams(body));
    expect(asked.map((form) => form.get('scope'))).toEqual(['uid application.write', 'uid']);
    expect(asked[0]?.get('grant_type')).toBe('password');
    const state = home.path('.local/state/pierone/tokens.json');
    expect((await stat(state)).mode & 0o777).toBe(0o600);
    expect(await home.read('.local/state/pierone/tokens.json')).not.toContain('hunter2');
  });

  test('are asked again when the token nears its end', async () => {
    const env = await writeService();
    await home.pierone(['login'], env);
    const first = await secretOf(env);
    const name = '.local/state/pierone/tokens.json';
    const text = await home.read(name);
    // As if it had been an hour ago, but for four minutes.
    const earlier = (time: string) => String(Number(time) - 56 * 60_000);
    await home.write(name, text.replaceAll(/\d{13}/g, earlier));

    const second = await secretOf(env);

    expect(second).toEqual(expect.any(String));
    expect(second).not.toBe(first);
  });

  test.each([
    {
      what: 'a wrong password',
      user: USER('wrong'),
      code: 3,
      says: 'gives no token (invalid_grant)',
    },
    { what: 'a broken file', user: '{', code: 2, says: 'user.json must be a JSON object' },
    { what: 'a file that lacks something', user: '{}', code: 2, says: '"application_username"' },
  ])('with $what are told of in one sentence', async ({ user, code, says }) => {
    const { exitCode, stderr } = await home.pierone(['login'], await writeService(user));

    expect({ exitCode, stderr }).toEqual({ exitCode: code, stderr: expect.stringContaining(says) });
    expect(stderr.trim().split('\n')).toHaveLength(1);
  });

  test('without OAUTH2_ACCESS_TOKEN_URL are told of', async () => {
    const { CREDENTIALS_DIR = '' } = await writeService();
    const { exitCode, stderr } = await home.pierone(['login'], { CREDENTIALS_DIR });

    expect({ exitCode, stderr }).toEqual({
      exitCode: 2,
      stderr: expect.stringContaining('OAUTH2_ACCESS_TOKEN_URL is not set'),
    });
  });

  test('tell docker why there is no token while the identity provider is away', async () => {
    const env = await writeService();
    await home.pierone(['login'], { PIERONE_TOKEN: scene.provider.issueToken('alice') });
    const closed = { ...env, OAUTH2_ACCESS_TOKEN_URL: 'http://127.0.0.1:9/token' };

    expect(await home.helper('get', host, closed)).toMatchObject({
      exitCode: 1,
      stdout: "Nothing listens at 127.0.0.1:9: the identity provider can't be asked.\n",
    });
  });
});

describe('without any token, and without a terminal', () => {
  test('login asks nobody, sets docker up for tokens to come, and says what is missing', async () => {
    const environment = { PIERONE_OIDC_ISSUER: scene.provider.issuer };
    const { exitCode, stdout, stderr } = await home.pierone(['login'], environment);

    const says = `docker is set up for ${host}, but nobody is logged in.\n`;
    expect({ exitCode, stdout }).toEqual({ exitCode: 0, stdout: says });
    expect(stderr).toContain('set PIERONE_TOKEN');
    expect(await home.helper('get', host)).toMatchObject(NOT_FOUND);
    const token = scene.provider.issueToken('alice');
    expect(await secretOf({ OAUTH2_ACCESS_TOKENS: `pierone=${token}` })).toBe(token);
  });

  test('there is none to write into a file', async () => {
    const login = await home.pierone(['login', '--no-credential-helper']);

    expect(login).toMatchObject({ exitCode: 3, stdout: '' });
    expect(login.stderr).toContain('set PIERONE_TOKEN');
    expect(await readdir(home.directory)).not.toContain('.docker');
  });

  test('login needs to be told which registry', async () => {
    const login = await home.pierone(['login'], { PIERONE_URL: '' });

    expect(login).toMatchObject({ exitCode: 2, stdout: '' });
    expect(login.stderr).toContain('Which registry?');
  });
});

test('a registry that protects nothing needs no login', async () => {
  const open = await scene.startWith({});

  const { exitCode, stdout } = await home.pierone(['login', '--url', open.url]);

  const says = `${new URL(open.url).host} wants no login: everybody may pull and push.\n`;
  expect({ exitCode, stdout }).toEqual({ exitCode: 0, stdout: says });
  expect(await readdir(home.directory)).not.toContain('.docker');
});

test('who lacks the helper on the PATH is told', async () => {
  await rm(home.path('bin', 'docker-credential-pierone'));
  const environment = { PIERONE_TOKEN: scene.provider.issueToken('alice') };

  const { exitCode, stdout, stderr } = await home.pierone(['login', '-o', 'json'], environment);

  expect({ exitCode, stderr }).toEqual({
    exitCode: 0,
    stderr: expect.stringContaining('docker-credential-pierone is not on the PATH'),
  });
  expect(JSON.parse(stdout)).toMatchObject({ url: registry.url, uid: 'alice' });
});

test('what can’t be written is told of in a sentence', async () => {
  await home.write('.local', 'a file, where a directory should be');
  const environment = { PIERONE_TOKEN: scene.provider.issueToken('alice') };

  const { exitCode, stderr } = await home.pierone(['login'], environment);

  expect(exitCode).toBe(1);
  expect(await readdir(home.directory)).not.toContain('.docker');
  expect(stderr).toMatch(/^pierone: \S+logins\.json can't be written: E.*\n$/);
});

describe('docker-credential-pierone', () => {
  const env = () => ({ PIERONE_TOKEN: scene.provider.issueToken('alice') });

  test('gives no other host a token, whatever that host is named', async () => {
    const environment = env();
    expect(await home.helper('get', host, environment)).toMatchObject(NOT_FOUND);
    await home.pierone(['login'], environment);
    const [name = '', port = ''] = host.split(':');
    const others = [
      'evil.example',
      name,
      `${name}:${Number(port) + 1}`,
      `${host}.evil.example`,
      `https://${host}@evil.example`,
      `https://evil.example/${host}`,
      `user:pass@${host}`,
      `evil.example\n${host}`,
      'https://',
    ];

    for (const other of others) {
      expect(await home.helper('get', other, environment), other).toMatchObject(NOT_FOUND);
    }
    expect(await secretOf(environment, `https://${host}/v2/`)).toBe(environment.PIERONE_TOKEN);
  });

  test('keeps what docker login gives for that host alone, until docker logout', async () => {
    const environment = env();
    const credentials = { ServerURL: 'other.example', Username: 'oauth2', Secret: 'given' };
    expect(await home.helper('store', JSON.stringify(credentials))).toMatchObject({ exitCode: 0 });

    expect(await secretOf(environment, 'other.example')).toBe('given');
    expect(await home.helper('get', host, environment)).toMatchObject(NOT_FOUND);
    expect((await home.helper('list', '')).stdout).toBe('{"other.example":"oauth2"}\n');
    expect(await home.helper('erase', 'other.example')).toMatchObject({ exitCode: 0, stdout: '' });
    expect(await home.helper('get', 'other.example', environment)).toMatchObject(NOT_FOUND);
    expect(await home.helper('erase', 'other.example')).toMatchObject({ exitCode: 0, stdout: '' });
  });

  test.each([
    { action: 'get', input: '', says: 'no credentials server URL' },
    { action: 'erase', input: '\n', says: 'no credentials server URL' },
    { action: 'store', input: '{}', says: 'no credentials server URL' },
    { action: 'store', input: '{"ServerURL":"a"}', says: 'no credentials username' },
    { action: 'nothing', input: '', says: 'Unknown credential action `nothing`' },
  ])('$action of "$input" is an error on standard output', async ({ action, input, says }) => {
    expect(await home.helper(action, input)).toMatchObject({ exitCode: 1, stdout: `${says}\n` });
  });

  test('gives nobody a token while its list of logins is broken', async () => {
    const environment = env();
    await home.pierone(['login'], environment);
    await home.write('.local/state/pierone/logins.json', `{"logins": [{"host": "${host}"`);

    expect(await home.helper('get', host, environment)).toMatchObject(NOT_FOUND);
  });
});

describe('--instance-identity', () => {
  test('writes the machine’s document, as it is, from version 2 of the metadata service', async () => {
    const document = scene.provider.addInstance();
    const metadata = await startInstanceMetadata(document);
    const environment = {
      AWS_EC2_METADATA_SERVICE_ENDPOINT: metadata.url,
      HTTP_PROXY: 'http://127.0.0.1:9',
      NO_PROXY: host,
    };

    const login = await home.pierone(['login', '--instance-identity'], environment);
    await metadata.close();

    expect(login).toMatchObject({
      exitCode: 0,
      stdout: `Logged in to ${host} as this machine, which may pull.\n`,
    });
    const auth = Buffer.from(`instance-identity-document:${document}`).toString('base64');
    const config: unknown = JSON.parse(await home.read('.docker/config.json'));
    expect(config).toEqual({ auths: { [host]: { auth } } });
    expect(metadata.requests).toEqual([
      'PUT /latest/api/token',
      'GET /latest/dynamic/instance-identity/pkcs7',
    ]);
  });

  test('of a machine that the registry does not know, or of none, writes nothing', async () => {
    const metadata = await startInstanceMetadata(scene.provider.forgeInstance());
    const args = ['login', '--instance-identity'];
    const unknown = { AWS_EC2_METADATA_SERVICE_ENDPOINT: metadata.url };

    expect(await home.pierone(args, unknown)).toMatchObject({ exitCode: 3 });
    await metadata.close();
    expect(await home.pierone(args, unknown)).toMatchObject({
      exitCode: 5,
      stderr: expect.stringContaining('There is no EC2 metadata service'),
    });
    expect(await readdir(home.directory)).not.toContain('.docker');
  });
});
