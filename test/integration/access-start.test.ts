import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { AccessClient, pushImage } from '../support/access-client.ts';
import { bearer } from '../support/access-scene.ts';
import { HttpClient } from '../support/http-client.ts';
import { type IdentityProvider, startIdentityProvider } from '../support/identity-provider.ts';
import { execute } from '../support/process-runner.ts';
import { expectStatus } from '../support/sample-content.ts';
import { useServers } from '../support/server-fixture.ts';

/* A registry that others can reach protects what it holds, unless it is told not to. */

const MAIN = fileURLToPath(new URL('../../dist/main.js', import.meta.url));
const CATALOG = '/v2/_catalog';

const servers = useServers();
let provider: IdentityProvider;

beforeAll(async () => {
  provider = await startIdentityProvider();
  provider.addEmployee({ uid: 'alice', teams: ['acme'] });
});
afterAll(() => provider?.close());

/** Another address of this machine, at which a server answers that listens at all of them. */
function elsewhere(url: string): string {
  const other = new URL(url);
  other.hostname = '127.0.0.2';
  return other.origin;
}

function reach(url: string): Promise<number> {
  return new HttpClient(url).send('GET', CATALOG).then(({ status }) => status);
}

test('with nothing configured it is open, on 127.0.0.1 alone', async () => {
  const { server, api } = await servers.start();
  for (const url of [server.url, server.managementUrl]) {
    expect(new URL(url).hostname).toBe('127.0.0.1');
    await expect(reach(elsewhere(url))).rejects.toThrow('ECONNREFUSED');
  }
  await expectStatus(pushImage(api, 'acme/app', '1'), 201);
  await expectStatus(api.send('GET', '/v2/acme/app/manifests/1'), 200);
});

describe('to listen elsewhere', () => {
  async function startInVain(environment: Readonly<Record<string, string>>): Promise<string> {
    const env = {
      DATABASE_URL: servers.databaseUrl,
      STORAGE_DIRECTORY: servers.storage.path,
      HTTP_PORT: '0',
      MGMT_HTTP_PORT: '0',
      ...environment,
    };
    const { exitCode, stderr } = await execute(process.execPath, [MAIN], { env });
    expect(exitCode).toBe(1);
    expect(stderr).not.toMatch(/^\s+at .*:\d+:\d+\)?$/m);
    return stderr;
  }

  test.each(['0.0.0.0', '::', '::ffff:0.0.0.0', 'registry.example.org'])(
    'it refuses to start without security: %s',
    async (host) => {
      const said = await startInVain({ HTTP_HOST: host });
      expect(said).toContain(`HTTP_HOST is ${host}`);
      expect(said).toMatch(/HTTP_TOKENINFO_URL.*HTTP_ALLOW_UNPROTECTED=true/);
    },
  );

  test('it names this beside all other problems', async () => {
    const said = await startInVain({
      HTTP_HOST: '0.0.0.0',
      HTTP_PORT: 'x',
      HTTP_TEAM_SERVICE_URL: provider.issuer,
      HTTP_OIDC_AUDIENCE: 'pierone',
      TEAMS_FILE: 'teams.json',
    });
    expect(said).toContain('5 problem(s)');
    for (const name of ['HOST', 'PORT', 'TEAM_SERVICE_URL', 'OIDC_AUDIENCE']) {
      expect(said).toMatch(new RegExp(`^ +- HTTP_${name} `, 'm'));
    }
    expect(said).toMatch(/^ +- TEAMS_FILE /m);
  });

  test.each([
    ['public read', { HTTP_ALLOW_PUBLIC_READ: 'true' }],
    ['an empty URL', { HTTP_TOKENINFO_URL: '' }],
    ['an answer that is none', { HTTP_ALLOW_UNPROTECTED: 'maybe' }],
    ['an issuer for everyone on earth', { HTTP_OIDC_ISSUER: 'https://issuer.example.org' }],
    ['a file of issuers that is not there', { HTTP_OIDC_ISSUERS_FILE: '/nowhere.json' }],
  ])('%s is no security', async (_, environment) => {
    const said = await startInVain({ HTTP_HOST: '0.0.0.0', ...environment });
    expect(said).toContain(Object.keys(environment)[0]?.replace('ALLOW_PUBLIC_READ', 'HOST'));
  });

  test('a file of issuers is none where one of them has no condition', async () => {
    const file = join(servers.storage.path, '..', 'issuers.json');
    const good = { audience: 'pierone', conditions: { repository_owner: 'acme' } };
    const issuers = [
      { issuer: 'https://one.example.org', ...good },
      { issuer: 'https://other.example.org', audience: 'pierone', conditions: { aud: 'pierone' } },
    ];
    await writeFile(file, JSON.stringify(issuers));
    const said = await startInVain({ HTTP_HOST: '0.0.0.0', HTTP_OIDC_ISSUERS_FILE: file });
    expect(said).toMatch(/HTTP_OIDC_ISSUERS_FILE.*1 problem/);
    expect(said).toContain('conditions of issuer 2');
  });

  test('it starts when it is told that it is meant', async () => {
    const { server } = await servers.start({
      HTTP_HOST: '0.0.0.0',
      HTTP_ALLOW_UNPROTECTED: 'true',
    });
    expect(await reach(elsewhere(server.url))).toBe(200);
    await expectStatus(pushImage(new HttpClient(elsewhere(server.url)), 'acme/app', '1'), 201);
    await expect(reach(elsewhere(server.managementUrl))).rejects.toThrow('ECONNREFUSED');
  });

  test('it starts with security, and asks who is there', async () => {
    const { server } = await servers.start({ ...provider.environment, HTTP_HOST: '0.0.0.0' });
    const url = elsewhere(server.url);
    expect(await reach(url)).toBe(401);
    const alice = new AccessClient(url, bearer(provider.issueToken('alice')));
    await expectStatus(pushImage(alice, 'acme/app', '1'), 201);
    await expect(reach(elsewhere(server.managementUrl))).rejects.toThrow('ECONNREFUSED');
  });
});
