import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { RegistryTokens } from '../../src/auth/registry-token.ts';
import { AccessClient, askForToken, pushImage, registryTokenOf } from '../support/access-client.ts';
import { type AccessScene, APP, basic, bearer, openAccessScene } from '../support/access-scene.ts';
import { errorCodeOf, type HttpAnswer } from '../support/http-client.ts';
import { githubActionsClaims } from '../support/identity-provider-claims.ts';
import type { JwtOptions } from '../support/identity-provider-keys.ts';
import { expectStatus } from '../support/sample-content.ts';
import { leaksOf } from '../support/secrecy.ts';
import { sql, type TestRegistry } from '../support/test-registry.ts';
import { present } from '../support/vocabulary.ts';
import { waitUntil } from '../support/wait-until.ts';

/* Tokens that stand for nobody, at a server: each is refused, and never taken for nobody's request. */

const MANIFEST = `/v2/${APP}/manifests/1`;
const UPLOADS = `/v2/${APP}/blobs/uploads/`;
const HOUR = 3600;
const OPENID = {
  HTTP_OIDC_AUDIENCE: 'pierone',
  HTTP_OIDC_CONDITIONS: 'repository_owner=acme',
  HTTP_OIDC_REALM: 'services',
  HTTP_OIDC_SCOPES: 'application.write',
  HTTP_OIDC_TEAMS: 'acme',
};

let scene: AccessScene;
/** Where everyone may read. */
let open: TestRegistry;
let closed: TestRegistry;

beforeAll(async () => {
  scene = await openAccessScene();
  const environment = { ...OPENID, HTTP_OIDC_ISSUER: scene.provider.issuer };
  open = await scene.start({ ...environment, HTTP_ALLOW_PUBLIC_READ: 'true' });
  closed = await scene.start({ ...environment, HTTP_AUTH_CHALLENGE: 'bearer' });
  const alice = new AccessClient(open.url, bearer(scene.provider.issueToken('alice')));
  await expectStatus(pushImage(alice, APP, '1'), 201);
  const robot = new AccessClient(open.url, bearer(scene.provider.issueToken('stups_robot')));
  await expectStatus(pushImage(robot, 'other/app', '1'), 201);
  // The key is made with the first one.
  await registryTokenOf(alice, APP);
});

afterAll(() => scene?.close());

const now = () => Math.floor(Date.now() / 1000);

/** As a workflow of GitHub, with something changed. */
function jwt(changes: Readonly<Record<string, unknown>> = {}, options: JwtOptions = {}) {
  return scene.provider.mintJwt(githubActionsClaims('acme/app', changes), options);
}

interface SigningOptions {
  readonly registryId?: string;
  readonly service?: string;
  readonly keyId?: string;
  readonly secret?: Uint8Array;
  /** Milliseconds. */
  readonly age?: number;
}

/** What /token would give to alice, by the key of the registry unless said. */
async function signRegistryToken(options: SigningOptions = {}): Promise<string> {
  const [own] = await sql<{ registry: string; id: string; secret: Buffer }>(
    scene.database.url,
    'select r.id as registry, k.id, k.secret from registry r, token_keys k',
  );
  const { registry, id, secret } = present(own, 'the key');
  const key = { id: options.keyId ?? id, secret: options.secret ?? secret };
  const tokens = new RegistryTokens({
    keys: {
      signingKey: async () => key,
      findKey: async () => key,
      close: async () => undefined,
    },
    registryId: options.registryId ?? registry,
    service: options.service ?? 'pierone',
    now: () => Date.now() - (options.age ?? 0),
  });
  const identity = {
    principal: { uid: 'alice', realm: 'employees' },
    kind: 'oauth',
    scopes: new Set<string>(),
  } as const;
  const grant = { type: 'repository', name: APP, actions: ['pull', 'push'] } as const;
  return (await tokens.issue(identity, [grant], [])).token;
}

/** Another header, and the signature as it was. */
async function withHeader(token: Promise<string>, change: object, signature?: string) {
  const [header = '', payload, signed] = (await token).split('.');
  const old: object = JSON.parse(Buffer.from(header, 'base64url').toString());
  const changed = Buffer.from(JSON.stringify({ ...old, ...change })).toString('base64url');
  return [changed, payload, signature ?? signed].join('.');
}

const revoked = () => {
  const token = scene.provider.issueToken('alice');
  scene.provider.revoke(token);
  return token;
};

// biome-ignore format: a table is read by its columns
const BAD: readonly [string, () => Promise<string> | string][] = [
  ['unknown',                                 () => randomBytes(16).toString('hex')],
  ['expired',                                 () => scene.provider.issueToken('alice', { lifetimeSeconds: 0 })],
  ['revoked',                                 revoked],
  ['a JWT that has expired',                  () => jwt({ iat: now() - 2 * HOUR, exp: now() - HOUR })],
  ['a JWT that never expires',                () => jwt({ exp: undefined })],
  ['a JWT of tomorrow',                       () => jwt({ nbf: now() + 24 * HOUR })],
  ['a JWT of a wrong issuer',                 () => jwt({ iss: 'https://issuer.example.org' })],
  ['a JWT for a wrong audience',              () => jwt({ aud: 'another registry' })],
  ['a JWT of a foreign organisation',         () => scene.provider.mintJwt(githubActionsClaims('evil/app'))],
  ['a JWT with another’s organisation added', () => jwt({ repository_owner: ['acme', 'evil'] })],
  ['an unsigned JWT',                         () => jwt({}, { alg: 'none' })],
  ['a JWT signed by the public key',          () => jwt({}, { alg: 'HS256' })],
  ['a JWT signed by another key',             () => jwt({}, { key: 'foreign' })],
  ['a JWT with an unknown kid',               () => jwt({}, { kid: 'another' })],
  ['a JWT that brings its key',               () => jwt({}, { key: 'foreign', kid: null, header: { jku: `${scene.provider.issuer}/x` } })],
  ['a registry token that has expired',       () => signRegistryToken({ age: 331_000 })],
  ['a registry token of another registry',    () => signRegistryToken({ registryId: 'another' })],
  ['a registry token for another service',    () => signRegistryToken({ service: 'another' })],
  ['a registry token by another secret',      () => signRegistryToken({ secret: randomBytes(32) })],
  ['a registry token by an unknown key',      () => signRegistryToken({ keyId: 'another' })],
  ['an unsigned registry token',              () => withHeader(signRegistryToken(), { alg: 'none' }, '')],
  ['a registry token that is another JWT',    () => withHeader(signRegistryToken(), { typ: 'JWT' })],
];

function expectRefusal(answer: HttpAnswer, challenge: RegExp, token: string): void {
  expect([answer.status, errorCodeOf(answer)]).toEqual([401, 'UNAUTHORIZED']);
  expect(answer.headers['www-authenticate']).toMatch(challenge);
  expect(leaksOf(token, [answer.body.toString(), answer.headers])).toEqual([]);
}

describe.each([
  ['where everyone may read', () => open],
  ['where nobody may read', () => closed],
])('%s', (_, registry) => {
  test('the same tokens are good when they are right', async () => {
    const good = [
      scene.provider.issueToken('alice'),
      await jwt(),
      await jwt({}, { alg: 'ES256' }),
      await signRegistryToken(),
      await signRegistryToken({ age: 200_000 }),
    ];
    for (const token of good) {
      const client = new AccessClient(registry().url, bearer(token));
      await expectStatus(client.send('GET', MANIFEST), 200);
      await expectStatus(client.send('POST', UPLOADS), 202);
    }
  });

  test.each(BAD)('a token is refused that is %s', async (_name, make) => {
    const token = await make();
    const invalid = /^Bearer realm="[^"]+\/token",.*error="invalid_token"/;
    for (const credential of [bearer(token), basic('oauth2', token)]) {
      const client = new AccessClient(registry().url, credential);
      expectRefusal(await client.send('GET', MANIFEST), invalid, token);
      expectRefusal(await client.send('POST', UPLOADS), invalid, token);
      expectRefusal(await askForToken(client, APP), /^Basic realm=/, token);
    }
  });

  test('a credential is refused whose scheme or user nobody knows', async () => {
    for (const header of ['Digest x', 'Bearer', 'Bearer a b', 'x', basic('alice', 'x')]) {
      const authorization = typeof header === 'string' ? header : header['Authorization'];
      const client = new AccessClient(registry().url, { Authorization: authorization ?? '' });
      expectRefusal(await client.send('GET', MANIFEST), /^Bearer realm=/, 'no secret');
    }
  });

  test('a registry token is good for its repository and actions alone', async () => {
    const { url } = registry();
    const robot = new AccessClient(url, bearer(scene.provider.issueToken('stups_robot')));
    const pull = new AccessClient(url, bearer(await registryTokenOf(robot, APP, 'pull')));
    const push = new AccessClient(url, bearer(await registryTokenOf(robot, APP)));
    await expectStatus(pull.send('GET', MANIFEST), 200);
    await expectStatus(push.send('POST', UPLOADS), 202);
    const insufficient = /error="insufficient_scope"/;
    const elsewhere = await push.send('POST', '/v2/other/app/blobs/uploads/');
    expectRefusal(elsewhere, insufficient, 'no secret');
    expectRefusal(await pull.send('POST', UPLOADS), insufficient, 'no secret');
    const reading = ['/v2/other/app/manifests/1', '/v2/other/app/tags/list', '/v2/_catalog'];
    for (const path of reading) {
      const answer = await push.send('GET', path);
      if (registry() === open) expect(answer.status).toBe(200);
      else expectRefusal(answer, insufficient, 'no secret');
    }
  });
});

test('a mount takes nothing from a repository that the registry token is not for', async () => {
  const robot = new AccessClient(closed.url, bearer(scene.provider.issueToken('stups_robot')));
  const [blob] = await sql<{ digest: string }>(
    scene.database.url,
    `select l.digest from blob_links l join repositories r on r.id = l.repository_id where r.name = '${APP}'`,
  );
  const path = (to: string) =>
    `/v2/${to}/blobs/uploads/?from=${APP}&mount=${present(blob, 'a blob').digest}`;
  const token = await registryTokenOf(robot, 'mount/one');
  const one = new AccessClient(closed.url, bearer(token));
  expect((await one.send('POST', path('mount/one'))).status).toBe(202);
  expect((await robot.send('POST', path('mount/one'))).status).toBe(201);
});

test('a revoked token ends with what was remembered of it', async () => {
  const { provider } = scene;
  // So long it is remembered; the provider itself knows it for an hour.
  const token = provider.issueToken('alice', { claims: { expires_in: 1 } });
  const client = new AccessClient(open.url, bearer(token));
  const isGood = async () => (await client.send('GET', MANIFEST)).status === 200;
  expect(await isGood()).toBe(true);
  provider.clear();
  await waitUntil('the token to be asked about again', async () => {
    expect(await isGood()).toBe(true);
    return provider.count('tokeninfo') > 0;
  });
  provider.revoke(token);
  await waitUntil('the token to end', async () => !(await isGood()));
  expectRefusal(await client.send('GET', MANIFEST), /error="invalid_token"/, token);
});

test('keys of an issuer that are rotated are found, and the old ones end', async () => {
  const { provider } = scene;
  const environment = { ...OPENID, HTTP_OIDC_ISSUER: provider.issuer };
  const { url } = await scene.start(environment);
  const pullWith = (token: string) => new AccessClient(url, bearer(token)).send('GET', MANIFEST);
  const kid = provider.kid();
  await expectStatus(pullWith(await jwt()), 200);
  await provider.rotateKeys();
  // By a key that was not there when the keys were read.
  await expectStatus(pullWith(await jwt()), 200);
  const old = await jwt({}, { kid });
  expectRefusal(await pullWith(old), /^Basic/, old);
});
