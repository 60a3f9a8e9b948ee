import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { AccessClient, pushImage, registryTokenOf } from '../support/access-client.ts';
import { bearer } from '../support/access-scene.ts';
import { errorCodeOf } from '../support/http-client.ts';
import { type IdentityProvider, startIdentityProvider } from '../support/identity-provider.ts';
import {
  githubActionsClaims,
  gitlabClaims,
  keycloakClaims,
} from '../support/identity-provider-claims.ts';
import { startPostgres, type TestPostgres } from '../support/postgres.ts';
import { expectStatus } from '../support/sample-content.ts';
import {
  createDatabase,
  makeStorage,
  type StorageDirectory,
  sql,
  startRegistry,
  type TestRegistry,
} from '../support/test-registry.ts';

/* A registry that knows nobody but the issuers of JWTs. */

let postgres: TestPostgres;
let github: IdentityProvider;
let keycloak: IdentityProvider;
let databaseUrl: string;
let storage: StorageDirectory;
let registry: TestRegistry | undefined;

beforeAll(async () => {
  postgres = await startPostgres();
  [github, keycloak] = await Promise.all([startIdentityProvider(), startIdentityProvider()]);
});
beforeEach(async () => {
  databaseUrl = await createDatabase(postgres.url);
  storage = await makeStorage();
});
afterEach(async () => {
  await registry?.close();
  registry = undefined;
  await storage?.remove();
});
afterAll(async () => {
  await postgres?.stop();
  await github?.close();
  await keycloak?.close();
});

async function start(environment: Readonly<Record<string, string>>): Promise<string> {
  registry = await startRegistry({ databaseUrl, directory: storage.path, environment });
  return registry.url;
}

/** Of an issuer of CI runs, by variables. */
const ci = () => ({
  HTTP_OIDC_ISSUER: github.issuer,
  HTTP_OIDC_AUDIENCE: 'pierone',
  HTTP_OIDC_CONDITIONS: 'repository_owner=acme,ref=refs/heads/*',
  HTTP_OIDC_REALM: 'services',
  HTTP_OIDC_SCOPES: 'application.write',
});

async function clientWith(url: string, token: Promise<string> | string) {
  return new AccessClient(url, bearer(await token));
}

/** A file next to what the registry stores. */
async function fileOf(content: unknown): Promise<string> {
  const file = join(storage.path, '..', 'settings.json');
  await writeFile(file, JSON.stringify(content));
  return file;
}

const events = () =>
  sql(
    databaseUrl,
    'select repository, tag, kind, uid, realm, issuer, claims from tag_events order by id',
  );

test('a workflow pushes for its team, and the audit trail says which run it was', async () => {
  const url = await start({ ...ci(), HTTP_OIDC_TEAMS: 'acme' });
  const claims = githubActionsClaims('acme/app');
  const client = await clientWith(url, github.mintJwt(claims));
  await expectStatus(pushImage(client, 'acme/app', '1'), 201);
  const refused = await client.send('PUT', '/v2/evil/app/manifests/1', { body: '{}' });
  expect([refused.status, errorCodeOf(refused)]).toEqual([403, 'DENIED']);
  const who = {
    uid: 'repo:acme/app:ref:refs/heads/main',
    realm: 'services',
    issuer: github.issuer,
    claims: {
      subject: claims['sub'],
      repository: 'acme/app',
      ref: 'refs/heads/main',
      workflow: claims['workflow_ref'],
      run: claims['run_id'],
      revision: claims['sha'],
      actor: 'jdoe',
    },
  };
  expect(await events()).toEqual([
    { repository: 'acme/app', tag: '1', kind: 'created', ...who },
    { repository: 'evil/app', tag: '1', kind: 'denied', ...who },
  ]);
  for (const table of ['tags', 'manifests', 'uploads']) {
    const rows = await sql(databaseUrl, `select distinct created_by from ${table}`);
    expect(rows).toEqual([{ created_by: who.uid }]);
  }
});

test('a push with a registry token says as much of the run', async () => {
  const url = await start({ ...ci(), HTTP_OIDC_TEAMS: 'acme', HTTP_AUTH_CHALLENGE: 'bearer' });
  const claims = githubActionsClaims('acme/app');
  const client = await clientWith(url, github.mintJwt(claims));
  const pusher = await clientWith(url, registryTokenOf(client, 'acme/app'));
  await expectStatus(pushImage(pusher, 'acme/app', '1'), 201);
  const denied = await clientWith(url, registryTokenOf(client, 'evil/app'));
  const refused = await denied.send('PUT', '/v2/evil/app/manifests/1', { body: '{}' });
  expect([refused.status, errorCodeOf(refused)]).toEqual([403, 'DENIED']);
  expect(refused.body.toString()).toContain('is not in the team evil');
  const run = expect.objectContaining({ run: claims['run_id'], revision: claims['sha'] });
  expect(await events()).toMatchObject([
    { repository: 'acme/app', kind: 'created', issuer: github.issuer, claims: run },
    { repository: 'evil/app', kind: 'denied', issuer: github.issuer, claims: run },
  ]);
});

test('each condition counts', async () => {
  const url = await start({ ...ci(), HTTP_OIDC_TEAMS: 'acme' });
  const statusWith = async (changes: Readonly<Record<string, unknown>>) => {
    const client = await clientWith(url, github.mintJwt(githubActionsClaims('acme/app', changes)));
    return (await client.send('POST', '/v2/acme/app/blobs/uploads/')).status;
  };
  expect(await statusWith({ ref: 'refs/heads/next' })).toBe(202);
  expect(await statusWith({ ref: 'refs/pull/7/merge' })).toBe(401);
  expect(await statusWith({ repository_owner: 'acme2' })).toBe(401);
  expect(await statusWith({ repository_owner: undefined })).toBe(401);
});

test('where no claim names teams, the file of teams does', async () => {
  const members = [{ uid: 'repo:acme/app:ref:refs/heads/main', issuer: github.issuer }];
  const file = await fileOf({ teams: { acme: { services: members } } });
  const url = await start({ ...ci(), TEAMS_FILE: file });
  const client = await clientWith(url, github.mintJwt(githubActionsClaims('acme/app')));
  expect((await client.send('POST', '/v2/acme/app/blobs/uploads/')).status).toBe(202);
  expect((await client.send('POST', '/v2/evil/app/blobs/uploads/')).status).toBe(403);
});

test('several issuers have their own rules, and their subjects are never mixed up', async () => {
  const audience = 'pierone';
  const file = await fileOf([
    {
      issuer: github.issuer,
      audience,
      conditions: { repository_owner: 'acme' },
      uidClaim: 'actor',
      realm: 'services',
      scopes: ['application.write'],
      teamsClaim: 'repository_owner',
    },
    {
      issuer: keycloak.issuer,
      audience,
      conditions: { azp: 'pierone' },
      uidClaim: 'preferred_username',
      realm: 'employees',
      teamsClaim: 'groups',
    },
  ]);
  const url = await start({ HTTP_OIDC_ISSUERS_FILE: file });
  const workflow = await clientWith(url, github.mintJwt(githubActionsClaims('acme/app')));
  const person = await clientWith(url, keycloak.mintJwt(keycloakClaims('jdoe', ['shop', 'acme'])));
  await expectStatus(pushImage(workflow, 'acme/app', '1'), 201);
  await expectStatus(pushImage(person, 'acme/app', '2'), 201);
  await expectStatus(pushImage(person, 'shop/app', '1'), 201);
  expect((await workflow.send('POST', '/v2/shop/app/blobs/uploads/')).status).toBe(403);
  // Signed by one issuer in the other's name, and by the right one with what the other one's tokens have.
  const strangers = [
    keycloak.mintJwt(githubActionsClaims('acme/app', { iss: github.issuer })),
    github.mintJwt(keycloakClaims('jdoe', ['acme'])),
    keycloak.mintJwt(gitlabClaims('acme/app')),
  ];
  for (const token of strangers) {
    const client = await clientWith(url, token);
    expect((await client.send('GET', '/v2/acme/app/tags/list')).status).toBe(401);
  }
  expect(await events()).toMatchObject([
    { repository: 'acme/app', uid: 'jdoe', realm: 'services', issuer: github.issuer },
    { repository: 'acme/app', uid: 'jdoe', realm: 'employees', issuer: keycloak.issuer },
    { repository: 'shop/app', uid: 'jdoe', realm: 'employees', issuer: keycloak.issuer },
    { repository: 'shop/app', kind: 'denied', tag: null, uid: 'jdoe', issuer: github.issuer },
  ]);
});
