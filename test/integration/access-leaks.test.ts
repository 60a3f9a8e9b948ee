import { randomBytes } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { AccessClient, pushImage } from '../support/access-client.ts';
import { AccessFullRun } from '../support/access-full-run.ts';
import { bearer } from '../support/access-scene.ts';
import { HttpClient } from '../support/http-client.ts';
import { type IdentityProvider, startIdentityProvider } from '../support/identity-provider.ts';
import { startPostgres, type TestPostgres } from '../support/postgres.ts';
import { type BackgroundProcess, execute, startInBackground } from '../support/process-runner.ts';
import { expectStatus } from '../support/sample-content.ts';
import { percentEncoded } from '../support/secrecy.ts';
import { SecretSearch } from '../support/secret-search.ts';
import {
  createDatabase,
  makeStorage,
  type StorageDirectory,
  sql,
} from '../support/test-registry.ts';
import { present } from '../support/vocabulary.ts';
import { waitUntil } from '../support/wait-until.ts';

/*
 * Servers at the log level trace get every kind of credential, good and bad, while all is well and while it isn't. What
 * they print, answer, measure and store holds none of them.
 */

const MAIN = fileURLToPath(new URL('../../dist/main.js', import.meta.url));
/** With what has a meaning in URLs, forms and JSON. */
const drawSecret = () =>
  `${randomBytes(12).toString('hex')}+/="%&?${randomBytes(12).toString('hex')}`;
/** Is the secret of all registry tokens, and has to be there. */
const EXPECTED_COLUMNS = new Set(['token_keys.secret']);

let postgres: TestPostgres;
let provider: IdentityProvider;
let storage: StorageDirectory;
let search: SecretSearch;
let databaseUrl: string;
const servers: BackgroundProcess[] = [];

beforeAll(async () => {
  postgres = await startPostgres();
});
beforeEach(async () => {
  search = new SecretSearch();
  const client = { id: 'pierone', secret: search.add('the client secret', drawSecret()) };
  provider = await startIdentityProvider({ client });
  provider.addEmployee({ uid: 'alice', teams: ['acme'] });
  provider.addEmployee({ uid: 'eve', teams: ['evil'] });
  provider.addService({ uid: 'stups_robot', scopes: ['application.write_all_trusted'] });
  storage = await makeStorage();
  const url = new URL(await createDatabase(postgres.url));
  url.password = search.add('the password of the database', randomBytes(12).toString('hex'));
  databaseUrl = url.href;
});
afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server.end()));
  await provider?.close();
  await storage?.remove();
});
afterAll(() => postgres?.stop());

interface Started {
  readonly url: string;
  readonly managementUrl: string;
  readonly screen: () => string;
}

async function start(environment: Readonly<Record<string, string>>): Promise<Started> {
  const env = {
    HTTP_PORT: '0',
    MGMT_HTTP_PORT: '0',
    DATABASE_URL: databaseUrl,
    STORAGE_DIRECTORY: storage.path,
    SYSTEM_LOG_LEVEL: 'trace',
    HTTP_AUTH_CHALLENGE: 'bearer',
    HTTP_TEAM_SERVICE_URL: provider.issuer,
    HTTP_IIDINFO_URL: provider.urlOf('iidinfo'),
    ...environment,
  };
  const server = startInBackground(process.execPath, [MAIN], { env });
  servers.push(server);
  const line = await waitUntil('the server', () => {
    if (!server.isRunning()) throw new Error(server.screen());
    return /^.*"msg":"listening".*$/m.exec(server.screen())?.[0];
  });
  return {
    url: urlIn(line, 'url'),
    managementUrl: urlIn(line, 'managementUrl'),
    screen: () => server.screen(),
  };
}

function urlIn(line: string, name: string): string {
  return present(new RegExp(`"${name}":"([^"]+)"`).exec(line)?.[1], name);
}

/** The settings of every way to check a token, of which a server has some. */
const byTokeninfo = () => ({
  HTTP_TOKENINFO_URL: provider.urlOf('tokeninfo'),
  HTTP_OIDC_ISSUER: provider.issuer,
  HTTP_OIDC_AUDIENCE: provider.audience,
  HTTP_OIDC_CONDITIONS: 'repository_owner=acme',
  HTTP_OIDC_REALM: 'services',
  HTTP_OIDC_SCOPES: 'application.write',
  HTTP_OIDC_TEAMS: 'acme',
  HTTP_TOKEN_KEY: search.add('HTTP_TOKEN_KEY', drawSecret()),
});
const byIntrospection = () => ({
  HTTP_INTROSPECTION_URL: provider.urlOf('introspection'),
  HTTP_INTROSPECTION_CLIENT_ID: provider.client.id,
  HTTP_INTROSPECTION_CLIENT_SECRET: provider.client.secret,
  HTTP_ALLOW_PUBLIC_READ: 'true',
});

/** Every row, as text, whatever its type. */
async function hearDatabase(): Promise<void> {
  const columns = await sql<{ table: string; column: string }>(
    databaseUrl,
    `select table_name as table, column_name as column from information_schema.columns
      where table_schema = 'public'`,
  );
  for (const { table, column } of columns) {
    if (EXPECTED_COLUMNS.has(`${table}.${column}`)) continue;
    const rows = await sql<{ value: unknown }>(
      databaseUrl,
      `select "${column}" as value from "${table}"`,
    );
    search.hear('PostgreSQL', ...rows.map(({ value }) => textOf(value)));
  }
}

function textOf(value: unknown): string {
  if (Buffer.isBuffer(value)) return value.toString('latin1');
  return typeof value === 'string' ? value : JSON.stringify(value);
}

async function hearEverything({ managementUrl, screen }: Started): Promise<void> {
  const { body } = await new HttpClient(managementUrl).send('GET', '/metrics');
  search.hear('metrics', body.toString());
  search.hear('output', screen());
  await hearDatabase();
}

describe.each(['uws', 'node'])('over %s', (transport) => {
  test.each([
    ['tokeninfo and JWTs', byTokeninfo],
    ['introspection', byIntrospection],
  ])('nothing that is said or stored holds a credential: %s', async (name, settings) => {
    const server = await start({ ...settings(), HTTP_TRANSPORT: transport });
    const alice = new AccessClient(server.url, bearer(provider.issueToken('alice')));
    await expectStatus(pushImage(alice, 'acme/app', '1'), 201);
    const run = new AccessFullRun(server.url, provider, search, name);
    await run.useGoodOnes();
    await run.useDuringOutages();
    await postgres.shutDown();
    await run.useUnseenOnes();
    await postgres.start();
    await run.useBadOnes();
    await run.useMalformedOnes();
    // Otherwise there was nothing to hold one.
    const statuses = [200, 202, 400, 401, 403, 404, 413, 429, 503];
    expect([...run.statuses.keys()]).toEqual(expect.arrayContaining(statuses));
    await hearEverything(server);
    expect(search.found()).toEqual([]);
    for (const problem of ['HTTP_IIDINFO_URL', 'ECONNREFUSED', 'PostgreSQL']) {
      expect(server.screen()).toContain(problem);
    }
    expect(Math.min(...Object.values(search.heardBytes))).toBeGreaterThan(5000);
    await plantAndFind(server);
  });
});

/** A path is logged; who puts a credential there is found out. */
async function plantAndFind(server: Started): Promise<void> {
  const token = `${randomBytes(12).toString('hex')}~/+${randomBytes(12).toString('hex')}`;
  search.add('a planted one', token);
  const planted: [string, string][] = [
    ['plain', token],
    ...percentEncoded(token).map((form): [string, string] => ['percent-encoded', form]),
    ...['', 'a', 'ab', 'oauth2:'].flatMap((before): [string, string][] => [
      ['base64', Buffer.from(`${before}${token}.`).toString('base64')],
      ['base64url', Buffer.from(`${before}${token}.`).toString('base64url')],
    ]),
  ];
  for (const [form, text] of planted) {
    const before = server.screen().length;
    const { headers } = await new HttpClient(server.url).send('GET', `/planted/${text}`);
    await waitUntil('the log line', () =>
      server.screen().slice(before).includes(present(headers['x-request-id'], 'an id')),
    );
    const line = new SecretSearch();
    line.add('a planted one', token);
    line.hear('output', server.screen().slice(before));
    expect(line.found()).toContain(`output: a planted one (${form})`);
  }
  search.hear('output', server.screen());
  expect(search.found()).toContain('output: a planted one (plain)');
}

test('a start that fails names what is wrong, and no secret of it', async () => {
  const secret = search.add('a secret', randomBytes(12).toString('hex'));
  const env = {
    HTTP_TOKENINFO_URL: `https://user:${secret}@identity.example.org/`,
    HTTP_INTROSPECTION_URL: `https://identity.example.org/#${secret}`,
    HTTP_INTROSPECTION_CLIENT_SECRET: secret,
    HTTP_OIDC_ISSUER: `https://${secret}@identity.example.org`,
    HTTP_TEAM_SERVICE_URL: `ftp://${secret}`,
    HTTP_TOKEN_KEY: secret,
    DATABASE_URL: `mysql://user:${secret}@127.0.0.1/pierone`,
  };
  const { exitCode, screen } = await execute(process.execPath, [MAIN], { env });
  expect(exitCode).toBe(1);
  for (const name of Object.keys(env)) {
    if (name !== 'HTTP_INTROSPECTION_CLIENT_SECRET') expect(screen).toContain(name);
  }
  search.hear('output', screen);
  expect(search.found()).toEqual([]);
});
