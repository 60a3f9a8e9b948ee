import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { makeCertificate } from '../support/certificates.ts';
import { listenInWorkspace } from '../support/forwarding.ts';
import { findFreePorts } from '../support/free-ports.ts';
import { type OriginalRegistry, startOriginalRegistry } from '../support/original-registry.ts';
import { CLI_COMMAND, cliIn, linesOf, type RunCli } from '../support/pierone-command.ts';
import { execute } from '../support/process-runner.ts';
import { createWorkspace, type Workspace } from '../support/workspace.ts';

let workspace: Workspace;
let original: OriginalRegistry;
let secured: OriginalRegistry;
let pierone: RunCli;
let caFile: string;

beforeAll(async () => {
  workspace = await createWorkspace();
  caFile = workspace.path('cert.pem');
  const keyFile = workspace.path('key.pem');
  await makeCertificate(caFile, keyFile);
  const [cert, key] = await Promise.all([readFile(caFile), readFile(keyFile)]);
  original = await startOriginalRegistry(workspace);
  secured = await startOriginalRegistry(workspace, { cert, key });
  pierone = cliIn(workspace, { PIERONE_URL: original.url, PIERONE_TOKEN: 'a-secret-token' });
});

afterAll(() => workspace?.dispose());

async function succeed(...args: readonly string[]): Promise<string> {
  const { exitCode, stdout, stderr } = await pierone(args);
  expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
  return stdout;
}

describe('a registry of the original', () => {
  test('has its lists sorted', async () => {
    expect(linesOf(await succeed('teams'))).toEqual(['Name', 'acme', 'tools']);
    expect(linesOf(await succeed('artifacts', 'acme'))).toEqual([
      'Team Artifact',
      'acme bare',
      'acme shop',
    ]);
  });

  test('shows the newest tags alone, with the status that it has', async () => {
    const tags: unknown = JSON.parse(
      await succeed('tags', 'acme', 'shop', '-l', '2', '-o', 'json'),
    );
    expect(tags).toEqual([
      {
        team: 'acme',
        artifact: 'shop',
        tag: '1.1',
        created_time: 1463671421,
        created_by: 'stups_robot',
        status: 'production_ready',
        status_reason: null,
      },
      {
        team: 'acme',
        artifact: 'shop',
        tag: '0.9-SNAPSHOT',
        created_time: 1463757821.5,
        created_by: 'jdoe',
        status: 'Not Processed',
        status_reason: 'Not Processed',
      },
    ]);
  });

  test.each([
    ['text', 'acme bare 1 Not Processed Not Processed'],
    ['tsv', 'acme\tbare\t1\t\t\tNot Processed\tNot Processed'],
  ])('has tags of which nothing but the name is known, in %s', async (format, line) => {
    expect(linesOf(await succeed('tags', 'acme', 'bare', '-o', format))[1]).toBe(line);
  });

  test('tells the latest tag by its time', async () => {
    expect(await succeed('latest', 'acme', 'shop')).toBe('0.9-SNAPSHOT\n');
    expect((await pierone(['latest', 'acme', 'none'])).exitCode).toBe(1);
  });

  test('tells the sources of all tags, or of some', async () => {
    const all: unknown = JSON.parse(await succeed('scm-source', 'acme', 'shop', '-o', 'json'));
    expect(all).toMatchObject([{ tag: '0.9-SNAPSHOT', url: null }, { tag: '1.0' }, { tag: '1.1' }]);
    const one: unknown = JSON.parse(
      await succeed('scm-source', 'acme', 'shop', '1.0', '-o', 'json'),
    );
    expect(one).toEqual([
      {
        tag: '1.0',
        author: 'J. Döe',
        url: 'git@git.example.org:acme/shop.git',
        revision: '0123456789abcdef',
        status: '',
        created_time: 1429038541.065,
        created_by: 'jdoe',
      },
    ]);
  });

  test('finds images, and says which are unknown or ambiguous', async () => {
    expect(linesOf(await succeed('image', 'abc1'))).toEqual(['Team Artifact Tag', 'acme shop 1.0']);
    expect(await succeed('image', 'abc')).toBe('Prefix abc matches more than one image.\n');
    expect(await succeed('image', 'xyz')).toBe('Image xyz not found\n');
  });

  test('is searched by whole names', async () => {
    expect(linesOf(await succeed('search', 'shop'))).toEqual(['Team Artifact', 'acme shop']);
  });

  test('has no audit trail, and nobody there tells who you are', async () => {
    expect((await pierone(['events'])).exitCode).toBe(1);
    expect((await pierone(['whoami'])).stderr).toMatch(/older Pier One, without \/whoami\.$/m);
  });

  test('is told of incidents by commands that the help leaves out', async () => {
    const command = ['mark-production-ready', 'INC-42', 'acme', 'shop'];
    const marked = `${original.host}/acme/shop:1.0 as \`production_ready\` due to incident INC-42`;
    expect(await succeed(...command, '1.0')).toBe(`Marked ${marked}.\n`);
    expect(original.requests.at(-1)).toMatch(/^POST \S+\/tags\/1\.0\/production-ready /);
    const { exitCode, stderr } = await pierone([...command, '9']);
    expect(exitCode).toBe(1);
    expect(stderr).toMatch(/^pierone: You can't mark \S+\/acme\/shop:9 as production ready: /);
    expect(await pierone(['cves', 'acme', 'shop', '1.0'])).toMatchObject({
      exitCode: 0,
      stderr: '!! THIS FUNCTIONALITY IS DEPRECATED !!\n',
    });
  });

  test('refuses tags of others in the words of the original', async () => {
    const { exitCode, stderr } = await pierone(['tags', 'secret', 'app']);
    expect({ exitCode, stderr }).toEqual({
      exitCode: 4,
      stderr: "pierone: You can't get all secret/app's tags: not yours.\n",
    });
  });
});

describe('what is no answer of a registry is exit code 5, with what to check:', () => {
  test.each([
    ['no JSON', ['tags', 'broken', 'app'], /does not answer as Pier One does: check the URL/],
    ['an end without an answer', ['tags', 'cut', 'app'], /^pierone: The connection to \S+ broke/],
  ])('%s', async (_, args, sentence) => {
    const { exitCode, stdout, stderr } = await pierone(args);
    expect({ exitCode, stdout }).toEqual({ exitCode: 5, stdout: '' });
    expect(stderr).toMatch(sentence);
  });

  test('a server that is down', async () => {
    const [port] = await findFreePorts(1);
    const { exitCode, stderr } = await pierone(['teams', '--url', `http://127.0.0.1:${port}`]);
    expect(exitCode).toBe(5);
    expect(stderr).toBe(
      `pierone: Nothing listens at 127.0.0.1:${port}: check the URL, and that Pier One runs there.\n`,
    );
  });

  test('a name that nobody has', async () => {
    const { exitCode, stderr } = await pierone(['teams', '--url', 'https://none.invalid']);
    expect(exitCode).toBe(5);
    expect(stderr).toMatch(/^pierone: The host none\.invalid can't be found/);
  });

  test('TLS where there is none', async () => {
    const url = `https://${original.host}`;
    const { exitCode, stderr } = await pierone(['teams', '--url', url]);
    expect(exitCode).toBe(5);
    expect(stderr).toMatch(/does not speak TLS as it should.+http:\/\//);
  });
});

describe('over TLS', () => {
  test('an unknown authority is refused before the token is sent', async () => {
    const { exitCode, stderr } = await pierone(['teams', '--url', secured.url]);
    expect(exitCode).toBe(5);
    expect(stderr).toMatch(/not from an authority that is trusted here: .+--ca-file/);
    expect(secured.requests).toEqual([]);
  });

  test.each([
    ['--ca-file', () => ({ args: ['--ca-file', caFile], env: {} })],
    ['PIERONE_CA_FILE', () => ({ args: [], env: { PIERONE_CA_FILE: caFile } })],
    ['NODE_EXTRA_CA_CERTS', () => ({ args: [], env: { NODE_EXTRA_CA_CERTS: caFile } })],
  ])('one that is given by %s is trusted', async (_, how) => {
    const { args, env } = how();
    const { exitCode, stdout } = await pierone(['teams', '--url', secured.url, ...args], { env });
    expect({ exitCode, stdout: linesOf(stdout) }).toEqual({
      exitCode: 0,
      stdout: ['Name', 'acme', 'tools'],
    });
  });

  test('a host without a scheme is asked by TLS', async () => {
    const args = ['teams', '--url', secured.host, '--ca-file', caFile];
    expect((await pierone(args)).exitCode).toBe(0);
  });

  test('a file that does not exist is wrong usage', async () => {
    const args = ['teams', '--url', secured.url, '--ca-file', '/no/such.pem'];
    const { exitCode, stderr } = await pierone(args);
    expect(exitCode).toBe(2);
    expect(stderr).toMatch(/The certificates in \/no\/such\.pem can't be read: check --ca-file/);
  });
});

test('a list in pages is printed whole, whatever the path of the registry is', async () => {
  const { stdout } = await pierone(['teams', '--url', `${original.url}/paged/`]);
  expect(linesOf(stdout)).toEqual(['Name', 'a', 'b', 'c']);
  expect(original.requests.slice(-2)).toEqual([
    'GET /paged/teams?limit=1000 Bearer a-secret-token',
    'GET /paged/teams?limit=2&after=ImIi Bearer a-secret-token',
  ]);
});

test('a redirect is followed, and the token stays with its host', async () => {
  const other = await startOriginalRegistry(workspace);
  const before = original.requests.length;
  const moved = `${original.url}/moved-to-${new URL(other.url).port}`;
  expect((await pierone(['teams', '--url', moved])).exitCode).toBe(0);
  expect(original.requests.slice(before)).toEqual([
    expect.stringMatching(/^GET \/moved-to-\d+\/teams\S* Bearer a-secret-token$/),
  ]);
  expect(other.requests).toEqual([expect.stringMatching(/^GET \/teams\S*$/)]);
});

describe('proxies', () => {
  let proxyUrl: string;
  const seen: string[] = [];

  beforeAll(async () => {
    const proxy = createServer((request, response) => {
      seen.push(`${request.method} ${request.url?.split('?', 1).join('')}`);
      response.writeHead(200, { 'content-type': 'application/json' }).end('["by proxy"]');
    });
    proxy.on('connect', ({ url = '' }, client, head) => {
      seen.push(`CONNECT ${url}`);
      const [host = '', port = ''] = url.split(':');
      const onward = connect(Number(port), host, () => {
        client.write('HTTP/1.1 200 OK\r\n\r\n');
        onward.write(head);
        onward.pipe(client).pipe(onward);
      });
      onward.on('error', () => undefined).on('close', () => client.destroy());
      client.on('error', () => undefined).on('close', () => onward.destroy());
    });
    proxyUrl = `http://${await listenInWorkspace(workspace, proxy)}`;
  });

  test('of HTTP are asked for the whole URL', async () => {
    const { stdout } = await pierone(['teams'], { env: { HTTP_PROXY: proxyUrl } });
    expect(linesOf(stdout)).toEqual(['Name', 'by proxy']);
    expect(seen.splice(0)).toEqual([`GET ${original.url}/teams`]);
  });

  test('of HTTPS are tunnels, within which certificates are checked', async () => {
    const env = { https_proxy: proxyUrl };
    const args = ['teams', '--url', secured.url];
    expect((await pierone(args, { env })).stderr).toMatch(/not from an authority/);
    expect((await pierone([...args, '--ca-file', caFile], { env })).exitCode).toBe(0);
    const tunnel = `CONNECT ${secured.host}`;
    expect(seen.splice(0)).toEqual([tunnel, tunnel]);
  });

  test('are not used for hosts in NO_PROXY', async () => {
    const env = { HTTP_PROXY: proxyUrl, NO_PROXY: 'example.org,127.0.0.1' };
    const { stdout } = await pierone(['teams'], { env });
    expect(linesOf(stdout)).toEqual(['Name', 'acme', 'tools']);
    expect(seen).toEqual([]);
  });

  test('that are down are told apart', async () => {
    const [port] = await findFreePorts(1);
    const env = { HTTP_PROXY: `http://127.0.0.1:${port}` };
    const { exitCode, stderr } = await pierone(['teams'], { env });
    expect(exitCode).toBe(5);
    expect(stderr).toMatch(new RegExp(`^pierone: The proxy 127.0.0.1:${port} can't be reached`));
  });
});

test('--debug shows what caused an error', async () => {
  const [port] = await findFreePorts(1);
  const args = ['teams', '--debug', '--url', `http://127.0.0.1:${port}`];
  expect((await pierone(args)).stderr).toMatch(/^caused by Error: connect ECONNREFUSED/m);
});

test('--debug shows requests and the stack of errors, and no token', async () => {
  const { exitCode, stderr } = await pierone(['events', '--debug']);
  expect(exitCode).toBe(1);
  expect(stderr).toMatch(/^pierone: GET http:\/\/\S+\/events\?… → 404$/m);
  expect(stderr).toMatch(/^ +at /m);
  expect(stderr).not.toContain('a-secret-token');
});

test('who stops reading, as head does, is no error; a full disk is one', async () => {
  const { stdout } = await execute(
    '/bin/sh',
    ['-c', '"$0" "$@" | head -n 1', ...CLI_COMMAND, 'teams'],
    {
      env: { HOME: workspace.path('home'), PIERONE_URL: original.url },
    },
  );
  expect(stdout).toMatch(/^Name/);
  const full = await execute('/bin/sh', ['-c', '"$0" "$@" > /dev/full', ...CLI_COMMAND, 'teams'], {
    env: { HOME: workspace.path('home'), PIERONE_URL: original.url },
  });
  expect(full.exitCode).toBe(1);
  expect(full.stderr).toMatch(/^pierone: The output can't be written: /);
});
