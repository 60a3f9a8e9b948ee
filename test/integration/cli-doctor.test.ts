import { chmod, mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { findFreePorts } from '../support/free-ports.ts';
import { type IdentityProvider, startIdentityProvider } from '../support/identity-provider.ts';
import { JsonValue } from '../support/json.ts';
import { pierone } from '../support/pierone-command.ts';
import { makeFolder, startPostgres, type TestPostgres } from '../support/postgres.ts';
import { startScriptedRegistry } from '../support/scripted-registry.ts';
import { createBucket, credentialsFor, sharedRgw } from '../support/shared-rgw.ts';
import {
  createDatabase,
  makeStorage,
  type StorageDirectory,
  sql,
  startRegistry,
  type TestRegistry,
} from '../support/test-registry.ts';

type Variables = Readonly<Record<string, string>>;

let postgres: TestPostgres;
let provider: IdentityProvider;
let storage: StorageDirectory;
let databaseUrl: string;

beforeAll(async () => {
  postgres = await startPostgres();
  provider = await startIdentityProvider();
});
afterAll(async () => {
  await provider?.close();
  await postgres?.stop();
});
beforeEach(async () => {
  storage = await makeStorage();
  databaseUrl = await createDatabase(postgres.url);
});
afterEach(() => storage?.remove());

function settings(changes: Variables = {}): Variables {
  return {
    DATABASE_URL: databaseUrl,
    STORAGE_DIRECTORY: storage.path,
    HTTP_PORT: '0',
    MGMT_HTTP_PORT: '0',
    ...changes,
  };
}

/** @returns the exit code, and a line for each check: `status check: message` */
async function examine(environment: Variables, ...args: string[]) {
  const { exitCode, stdout, stderr } = await pierone(
    ['doctor', '-o', 'json', ...args],
    environment,
  );
  expect(stderr).toBe('');
  const lines = JsonValue.parse(stdout).items.map(
    (item) => `${item.at('status').text} ${item.at('check').text}: ${item.at('message').text}`,
  );
  return { exitCode, lines, text: lines.join('\n') };
}

const registryIds = () => sql<{ id: string }>(databaseUrl, 'select id::text as id from registry');

describe('of a server', () => {
  test('all is well before its first start, and nothing is made by asking', async () => {
    const { exitCode, text } = await examine(settings(provider.environment));
    expect(text).not.toMatch(/^(problem|warning)/m);
    expect(exitCode).toBe(0);
    expect(text).toMatch(/^ok DATABASE_URL: PostgreSQL 1[89]\S* at /m);
    expect(text).toMatch(/^ok migrations: the next start runs 0001-registry\.sql, /m);
    expect(text).toMatch(
      /^ok STORAGE_DIRECTORY: \S+ will be made by the start; \S+ GiB of \S+ are free$/m,
    );
    expect(text).toMatch(/^ok registry id: the store is empty/m);
    expect(text).toMatch(/^ok memory: \d+ MiB may be used; a busy server needs 256 MiB/m);
    expect(text).toMatch(/^ok HTTP_TOKENINFO_URL: \S+ answers$/m);
    expect(await sql(databaseUrl, `select from pg_tables where schemaname = 'public'`)).toEqual([]);
    expect(await readdir(join(storage.path, '..'))).toEqual([]);
  });

  test('while one runs with the same settings, its ports and its store are right', async () => {
    const [port] = await findFreePorts(1);
    const environment = { MGMT_HTTP_PORT: String(port) };
    const registry = await startRegistry({ databaseUrl, directory: storage.path, environment });
    try {
      const HTTP_PORT = new URL(registry.url).port;
      const { exitCode, text } = await examine(settings({ ...environment, HTTP_PORT }));
      const [{ id } = { id: '' }] = await registryIds();
      expect(text).toMatch(/^ok HTTP_PORT: a Pier One listens on 127\.0\.0\.1 port \d+$/m);
      expect(text).toMatch(/^ok MGMT_HTTP_PORT: a Pier One listens on 127\.0\.0\.1 port \d+$/m);
      expect(text).toContain('ok migrations: all have run');
      expect(text).toContain(`ok registry id: database and store are those of registry ${id}`);
      expect(text).toMatch(/^warning access control: none/m);
      expect(exitCode).toBe(0);
    } finally {
      await registry.close();
    }
  });

  test('each mistake of the configuration is named', async () => {
    const environment = settings({ HTTP_PORT: 'x', DB_MAX_POOL: '-1', TEAMS_FILE: 'teams.json' });
    const { exitCode, lines } = await examine(environment);
    expect(lines).toEqual([
      expect.stringMatching(/^problem configuration: HTTP_PORT must be/),
      expect.stringMatching(/^problem configuration: DB_MAX_POOL must be/),
      expect.stringMatching(
        /^problem configuration: TEAMS_FILE is set, but nothing tells who asks/,
      ),
    ]);
    expect(exitCode).toBe(1);
  });

  test('each dependency that is not there is named, with what to do', async () => {
    const other = await startScriptedRegistry({});
    const port = new URL(other.url).port;
    try {
      const { exitCode, text } = await examine(
        settings({
          DATABASE_URL: 'postgresql://127.0.0.1:9/pierone?password=geheim',
          HTTP_PORT: port,
          HTTP_OIDC_ISSUER: other.url,
          HTTP_OIDC_AUDIENCE: 'pierone',
          HTTP_OIDC_CONDITIONS: 'org=acme',
          HTTP_OIDC_REALM: 'services',
          HTTP_INTROSPECTION_URL: provider.environment['HTTP_TOKENINFO_URL'] ?? '',
          HTTP_INTROSPECTION_CLIENT_ID: 'pierone',
          HTTP_INTROSPECTION_CLIENT_SECRET: 'geheim',
          HTTP_TEAM_SERVICE_URL: 'http://127.0.0.1:10',
          TEAMS_FILE: '/nonexistent/teams.json',
          HTTP_TLS_CERT_FILE: '/nonexistent/cert.pem',
          HTTP_TLS_KEY_FILE: '/nonexistent/key.pem',
        }),
      );
      expect(exitCode).toBe(1);
      for (const [check, message] of [
        ['HTTP_TLS_CERT_FILE', /can't read \/nonexistent\/cert\.pem/],
        ['HTTP_PORT', /it is in use: set it to another one/],
        ['DATABASE_URL', /ECONNREFUSED.*correct DATABASE_URL/],
        ['HTTP_OIDC_ISSUER', /answers with status 404/],
        ['HTTP_INTROSPECTION_URL', /can't be asked/],
        ['HTTP_TEAM_SERVICE_URL', /can't be asked: no answer/],
        ['TEAMS_FILE', /can't be read \(ENOENT\)/],
      ] as const) {
        expect(text).toMatch(new RegExp(`^problem ${check}: .*${message.source}`, 'm'));
      }
      expect(text).not.toContain('geheim');
    } finally {
      await other.close();
    }
  });

  test('a database and a store of two registries are told apart', async () => {
    const registry = await startRegistry({ databaseUrl, directory: storage.path });
    await registry.close();
    await writeFile(join(storage.path, 'registry-id'), '00000000-0000-4000-8000-000000000000\n');
    const { exitCode, text } = await examine(settings());
    expect(text).toMatch(/^problem registry id: The directory \S+ belongs to the registry 0{8}/m);
    expect(exitCode).toBe(1);
  });

  test('settings of PostgreSQL that lose data, or have too few connections, are told', async () => {
    await sql(
      databaseUrl,
      `do $$ begin execute format('alter database %I set synchronous_commit to off', current_database()); end $$`,
    );
    const { exitCode, text } = await examine(settings({ DB_MAX_POOL: '500' }));
    expect(text).toMatch(/^warning DATABASE_URL: synchronous_commit is off/m);
    expect(text).toMatch(
      /^problem DATABASE_URL: an instance takes up to 506 connections; .* raise max_connections/m,
    );
    expect(exitCode).toBe(1);
  });

  test('a bucket is tried as the start tries it, and left as it was', async () => {
    const rgw = await sharedRgw();
    const bucket = await createBucket(rgw);
    const s3 = {
      ...credentialsFor(rgw),
      STORAGE_S3_BUCKET: bucket.name,
      STORAGE_S3_ENDPOINT: rgw.endpoint,
    };
    try {
      const good = await examine(settings(s3));
      expect(good.text).toMatch(
        /^ok STORAGE_S3_BUCKET: S3 bucket \S+ at .*: everything .* was allowed$/m,
      );
      expect(good.text).toMatch(/^ok STORAGE_S3_ENDPOINT: its clock/m);
      expect(good.exitCode).toBe(0);
      const bad = await examine(settings({ ...s3, AWS_SECRET_ACCESS_KEY: 'wrong' }));
      expect(bad.text).toMatch(/^problem STORAGE_S3_BUCKET: .*correct AWS_SECRET_ACCESS_KEY/m);
      expect(bad.exitCode).toBe(1);
    } finally {
      await bucket.dispose();
    }
  });

  test('sinks have what they need to deliver, and get nothing', async () => {
    const folder = join(storage.path, '..');
    const webhooks = join(folder, 'webhooks.json');
    const secret = `whsec_${Buffer.alloc(32, 7).toString('base64')}`;
    const hook = { name: 'deploy', url: 'http://127.0.0.1:9/hook', secrets: [secret] };
    await writeFile(webhooks, JSON.stringify({ webhooks: [hook] }));
    await writeFile(join(folder, 'http-audit-logger-token-secret'), 'geheim\n');
    const sinks = {
      WEBHOOKS_FILE: webhooks,
      API_REPOSITORY: 'pierone.example.org',
      API_SNS_TOPIC_ARN: 'arn:aws:sns:eu-central-1:123456789012:tags',
      API_SNS_ENDPOINT: 'http://127.0.0.1:9',
      HTTPLOGGER_API_URL: 'http://127.0.0.1:9/events',
      CREDENTIALS_DIR: folder,
      AWS_EC2_METADATA_DISABLED: 'true',
    };
    const keys = { AWS_ACCESS_KEY_ID: 'geheim', AWS_SECRET_ACCESS_KEY: 'geheim' };
    const good = await examine(settings({ ...sinks, ...keys }));
    expect(good.text).toMatch(/^ok WEBHOOKS_FILE: \S+ can be read: deploy$/m);
    expect(good.text).toMatch(/^warning WEBHOOKS_FILE: deploy has a URL without TLS/m);
    expect(good.text).toMatch(/^ok API_SNS_TOPIC_ARN: there are AWS credentials for .*:tags;/m);
    expect(good.text).toMatch(/^ok HTTPLOGGER_API_URL: there is a token for /m);
    expect(good.exitCode).toBe(0);
    await writeFile(webhooks, '{"webhooks": [{"name": "deploy"}]}');
    const bad = await examine(settings({ ...sinks, CREDENTIALS_DIR: storage.path }));
    expect(bad.text).toMatch(/^problem WEBHOOKS_FILE: .*webhooks\[0\]/m);
    expect(bad.text).toMatch(/^problem API_SNS_TOPIC_ARN: there are no AWS credentials: set AWS_/m);
    expect(bad.text).toMatch(/^problem HTTPLOGGER_API_URL: CREDENTIALS_DIR has no file /m);
    expect(bad.exitCode).toBe(1);
    expect(good.text + bad.text).not.toMatch(/geheim|whsec_/);
  });

  test('an embedded PostgreSQL is neither made nor started', async () => {
    const { DATABASE_URL: _, ...embedded } = settings();
    const { exitCode, text } = await examine(embedded);
    expect(text).toMatch(
      /^ok embedded PostgreSQL: \S+ is installed; the start makes a database in /m,
    );
    expect(exitCode).toBe(0);
    expect(await readdir(join(storage.path, '..'))).toEqual([]);
  });

  test('in text it is a line each, for people', async () => {
    const { stdout } = await pierone(['doctor'], settings({ HTTP_PORT: 'x' }));
    expect(stdout).toBe(
      'problem  configuration: HTTP_PORT must be a whole number from 0 to 65535; it is "x"\n',
    );
  });
});

describe('of a client', () => {
  let registry: TestRegistry;
  let folder: string;

  beforeEach(async () => {
    provider.addEmployee({ uid: 'jdoe', teams: ['acme'] });
    const { environment } = provider;
    registry = await startRegistry({ databaseUrl, directory: storage.path, environment });
    folder = await makeFolder();
  });
  afterEach(() => registry?.close());

  async function program(name: string): Promise<void> {
    await writeFile(join(folder, name), '#!/bin/sh\n');
    await chmod(join(folder, name), 0o755);
  }

  test('all is well with a token, docker and its helper', async () => {
    await program('docker');
    await program('docker-credential-pierone');
    const { host } = new URL(registry.url);
    await mkdir(join(folder, '.docker'));
    await writeFile(
      join(folder, '.docker', 'config.json'),
      JSON.stringify({ credHelpers: { [host]: 'pierone' } }),
    );
    const environment = { PATH: folder, HOME: folder, PIERONE_TOKEN: provider.issueToken('jdoe') };
    const { exitCode, lines } = await examine(environment, '--url', registry.url);
    expect(lines.map((line) => line.slice(0, line.indexOf(':')))).toEqual([
      'ok registry',
      'ok clock',
      'ok API',
      'ok token',
      'ok docker',
      'ok docker-credential-pierone',
    ]);
    expect(exitCode).toBe(0);
  });

  test('it tells what is missing', async () => {
    await program('docker');
    const environment = { PATH: folder, HOME: folder };
    const without = await examine(environment, '--url', registry.url);
    expect(without.text).toMatch(/^problem token: none: run pierone login/m);
    expect(without.text).toMatch(
      /^warning docker: .* has no credential helper for .*pierone login$/m,
    );
    expect(without.exitCode).toBe(1);
    const wrong = await examine({ ...environment, PIERONE_TOKEN: 'x' }, '--url', registry.url);
    expect(wrong.text).toMatch(/^problem token: the registry does not accept it/m);
  });

  test('it tells of another server, and of none', async () => {
    const other = await startScriptedRegistry({ '/v2/': {} });
    try {
      const { text } = await examine({}, '--url', other.url);
      expect(text).toMatch(/^warning API: .*Pier One API/m);
    } finally {
      await other.close();
    }
    const { exitCode, text } = await examine({}, '--url', 'http://127.0.0.1:9');
    expect(text).toMatch(/^problem registry: .*127\.0\.0\.1:9/);
    expect(exitCode).toBe(1);
  });
});
