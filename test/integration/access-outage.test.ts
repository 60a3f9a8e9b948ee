import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { AccessClient, askForToken, pushImage, registryTokenOf } from '../support/access-client.ts';
import { type AccessScene, APP, basic, bearer, openAccessScene } from '../support/access-scene.ts';
import { errorCodeOf, type HttpAnswer } from '../support/http-client.ts';
import { githubActionsClaims } from '../support/identity-provider-claims.ts';
import { PROVIDER_FAULTS, type ProviderFault } from '../support/identity-provider-faults.ts';
import { startPostgres, type TestPostgres } from '../support/postgres.ts';
import { expectStatus } from '../support/sample-content.ts';
import { leaksOf } from '../support/secrecy.ts';
import type { TestRegistry } from '../support/test-registry.ts';
import { present } from '../support/vocabulary.ts';
import { waitUntil } from '../support/wait-until.ts';

/* What access control depends on fails: nobody is let in for that, and who needs none of it goes on. */

const MANIFEST = `/v2/${APP}/manifests/1`;
const UPLOADS = `/v2/${APP}/blobs/uploads/`;
/** What a client waits for an answer; less than the slow dependency takes. */
const PATIENCE_MS = 9000;
/** For those that have to wait for others before them. */
const LONG_PATIENCE_MS = 30_000;

let postgres: TestPostgres;
let scene: AccessScene;
let open: TestRegistry;
let closed: TestRegistry;

beforeAll(async () => {
  postgres = await startPostgres();
  scene = await openAccessScene(postgres);
  const environment = {
    HTTP_AUTH_CHALLENGE: 'bearer',
    HTTP_OIDC_ISSUER: scene.provider.issuer,
    HTTP_OIDC_AUDIENCE: 'pierone',
    HTTP_OIDC_CONDITIONS: 'repository_owner=acme',
    HTTP_OIDC_REALM: 'services',
    HTTP_OIDC_SCOPES: 'application.write_all',
  };
  closed = await scene.start(environment);
  open = await scene.start({ ...environment, HTTP_ALLOW_PUBLIC_READ: 'true' });
  await expectStatus(pushImage(aliceAt(closed), APP, '1'), 201);
});
afterEach(async () => {
  scene.provider.mend();
  await scene.provider.comeBack();
});

afterAll(async () => {
  await scene?.close();
  await postgres?.stop();
});

/** With a token that nobody has seen yet. */
function aliceAt({ url }: TestRegistry): AccessClient {
  return clientAt(url, scene.provider.issueToken('alice'));
}

function clientAt(url: string, token: string): AccessClient {
  return new AccessClient(url, bearer(token));
}

function expectUnavailable(answer: HttpAnswer): void {
  expect([answer.status, errorCodeOf(answer)]).toEqual([503, 'UNAVAILABLE']);
  expect(answer.headers['retry-after']).toMatch(/^[1-9]\d*$/);
}

/** Three requests with a token at the same time. */
function tryEverything(url: string, token: string): Promise<HttpAnswer[]> {
  const signal = AbortSignal.timeout(PATIENCE_MS);
  const client = clientAt(url, token);
  const password = new AccessClient(url, basic('oauth2', token));
  return Promise.all([
    client.send('GET', MANIFEST, { signal }),
    password.send('POST', UPLOADS, { signal }),
    password.send('GET', `/token?scope=repository:${APP}:pull`, { signal }),
  ]);
}

describe('tokeninfo', () => {
  const faults: [string, ProviderFault | 'vanish'][] = [
    ...Object.entries(PROVIDER_FAULTS),
    ['answers after 10 s', { kind: 'slow', ms: 10_000 }],
    ['is not there', 'vanish'],
  ];

  test.each(faults)('%s: 503, but for those whose token is known', async (_, fault) => {
    const { provider } = scene;
    const remembered = aliceAt(closed);
    const pusher = clientAt(closed.url, await registryTokenOf(aliceAt(closed), APP));
    await expectStatus(remembered.send('GET', MANIFEST), 200);
    if (fault === 'vanish') await provider.vanish();
    else provider.plan('tokeninfo', fault);
    const token = provider.issueToken('alice');
    const unknown = Promise.all([tryEverything(closed.url, token), tryEverything(open.url, token)]);
    for (const client of [pusher, remembered]) {
      await expectStatus(client.send('GET', MANIFEST), 200);
      await expectStatus(client.send('POST', UPLOADS), 202);
    }
    for (const answer of (await unknown).flat()) {
      expectUnavailable(answer);
      expect(leaksOf(token, [answer.body.toString(), answer.headers])).toEqual([]);
    }
    provider.mend();
    await provider.comeBack();
    for (const { url } of [closed, open]) {
      const answers = await tryEverything(url, token);
      expect(answers.map(({ status }) => status)).toEqual([200, 202, 200]);
    }
  });

  test('hangs under hundreds of tokens: each gets its 503, and pulls go on meanwhile', async () => {
    const { provider } = scene;
    const puller = clientAt(closed.url, await registryTokenOf(aliceAt(closed), APP, 'pull'));
    const hanging = provider.plan('tokeninfo', { kind: 'hang' });
    const asked = Array.from({ length: 400 }, (_, n) => {
      const signal = AbortSignal.timeout(LONG_PATIENCE_MS);
      return clientAt(closed.url, `token-${n}`).send('GET', MANIFEST, { signal });
    });
    await waitUntil('requests that hang', () => hanging.count() >= 50);
    for (let n = 0; n < 50; n += 1) await expectStatus(puller.send('GET', MANIFEST), 200);
    for (const answer of await Promise.all(asked)) expectUnavailable(answer);
    hanging.end();
    await expectStatus(aliceAt(closed).send('GET', MANIFEST), 200);
  });
});

test('an issuer of JWTs that is down: 503, unless its keys are known', async () => {
  const { provider } = scene;
  const jwt = await provider.mintJwt(githubActionsClaims('acme/app'));
  provider.plan('discovery', { kind: 'reset' }, 1);
  expectUnavailable(await clientAt(open.url, jwt).send('GET', MANIFEST));
  await expectStatus(clientAt(closed.url, jwt).send('GET', MANIFEST), 200);
  await provider.vanish();
  const another = await provider.mintJwt(githubActionsClaims('acme/app'));
  await expectStatus(clientAt(closed.url, another).send('POST', UPLOADS), 202);
});

test('what verifies machines is down: 503, also where everyone may read', async () => {
  const { provider } = scene;
  const document = provider.addInstance();
  const fault = provider.plan('iidinfo', { kind: 'reset' });
  const machine = new AccessClient(open.url, basic('instance-identity-document', document));
  const answer = await machine.send('GET', MANIFEST);
  expectUnavailable(answer);
  expect(leaksOf(document, answer.body.toString())).toEqual([]);
  fault.end();
  await expectStatus(machine.send('GET', MANIFEST), 200);
});

describe('the team service', () => {
  test.each<[string, ProviderFault]>([
    ['resets the connection', { kind: 'reset' }],
    ['never answers', { kind: 'hang' }],
    ['answers 503', present(PROVIDER_FAULTS['answers 503'], 'a fault')],
    ['answers HTML', present(PROVIDER_FAULTS['answers HTML'], 'a fault')],
    ['answers a number', present(PROVIDER_FAULTS['answers a number'], 'a fault')],
  ])('%s: employees can not push, all others go on', async (fault, planned) => {
    const { provider } = scene;
    // Whose teams nobody has asked for yet.
    const uid = `bob who meets one that ${fault}`;
    provider.addEmployee({ uid, teams: ['acme'] });
    provider.plan('teams', planned);
    const bob = clientAt(closed.url, provider.issueToken(uid));
    const robot = clientAt(closed.url, provider.issueToken('stups_robot'));
    const signal = AbortSignal.timeout(PATIENCE_MS);
    const refused = Promise.all([
      bob.send('POST', UPLOADS, { signal }),
      bob.send('GET', `/token?scope=repository:${APP}:pull,push`, { signal }),
    ]);
    await expectStatus(bob.send('GET', MANIFEST), 200);
    await expectStatus(askForToken(bob, APP, 'pull'), 200);
    await expectStatus(robot.send('POST', UPLOADS), 202);
    await expectStatus(aliceAt(closed).send('POST', UPLOADS), 202);
    for (const answer of await refused) expectUnavailable(answer);
    provider.mend();
    await expectStatus(bob.send('POST', UPLOADS), 202);
  });
});

test('PostgreSQL is down: cached manifests are pulled, also with tokens that come now', async () => {
  const known = await registryTokenOf(aliceAt(closed), APP, 'pull');
  const eve = clientAt(closed.url, scene.provider.issueToken('eve'));
  await expectStatus(clientAt(closed.url, known).send('GET', MANIFEST), 200);
  await postgres.shutDown();
  try {
    const fresh = await registryTokenOf(aliceAt(closed), APP, 'pull');
    for (const token of [known, fresh, scene.provider.issueToken('alice')]) {
      await expectStatus(clientAt(closed.url, token).send('GET', MANIFEST), 200);
    }
    expectUnavailable(await aliceAt(closed).send('POST', UPLOADS));
    // A refusal that can't be written down: it fails, and lets nobody in.
    expectUnavailable(await eve.send('POST', UPLOADS));
  } finally {
    await postgres.start();
  }
  await waitUntil('the registry to recover', async () => {
    return (await aliceAt(closed).send('POST', UPLOADS)).status === 202;
  });
  expect((await eve.send('POST', UPLOADS)).status).toBe(403);
});

test('PostgreSQL answers nothing: cached manifests are pulled', async () => {
  const { provider } = scene;
  const known = await registryTokenOf(aliceAt(closed), APP, 'pull');
  await expectStatus(clientAt(closed.url, known).send('GET', MANIFEST), 200);
  const goOn = await postgres.freeze();
  try {
    const fresh = await registryTokenOf(aliceAt(closed), APP, 'pull');
    for (const token of [known, fresh, provider.issueToken('alice')]) {
      const signal = AbortSignal.timeout(PATIENCE_MS);
      await expectStatus(clientAt(closed.url, token).send('GET', MANIFEST, { signal }), 200);
    }
  } finally {
    goOn();
  }
  await expectStatus(aliceAt(closed).send('POST', UPLOADS), 202);
});
