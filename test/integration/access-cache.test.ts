import { Agent } from 'node:http';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { InvalidCredential } from '../../src/auth/identity.ts';
import { TokenCheck } from '../../src/auth/token-check.ts';
import { TokeninfoVerifier } from '../../src/auth/tokeninfo.ts';
import { AccessClient, askForToken, pushImage, registryTokenOf } from '../support/access-client.ts';
import { type AccessScene, APP, basic, bearer, openAccessScene } from '../support/access-scene.ts';
import { errorCodeOf, type HttpAnswer } from '../support/http-client.ts';
import { expectStatus } from '../support/sample-content.ts';
import type { TestRegistry } from '../support/test-registry.ts';

/* How often those are asked who know tokens, and how often those may try who have none. */

const MANIFEST = `/v2/${APP}/manifests/1`;
const UPLOADS = `/v2/${APP}/blobs/uploads/`;

let scene: AccessScene;

beforeAll(async () => {
  scene = await openAccessScene();
  const { url } = await scene.start();
  await expectStatus(pushImage(aliceAt(url), APP, '1'), 201);
});
beforeEach(() => scene.provider.clear());

afterAll(() => scene?.close());

function aliceAt(url: string): AccessClient {
  return new AccessClient(url, bearer(scene.provider.issueToken('alice')));
}

/** So many at once, over a hundred connections. @returns the statuses, each once */
async function sendMany(
  { url }: TestRegistry,
  credential: Readonly<Record<string, string>>,
  count: number,
  send: (client: AccessClient) => Promise<HttpAnswer>,
): Promise<Set<number>> {
  const agent = new Agent({ keepAlive: true, maxSockets: 100 });
  const client = new AccessClient(url, credential, agent);
  const answers = await Promise.all(Array.from({ length: count }, () => send(client)));
  agent.destroy();
  return new Set(answers.map(({ status }) => status));
}

describe('one token', () => {
  test('a thousand pulls ask tokeninfo once per instance', async () => {
    const { provider } = scene;
    const instances = await Promise.all([scene.start(), scene.start()]);
    const credential = bearer(provider.issueToken('alice'));
    // So long that many requests are there before the first answer is.
    provider.plan('tokeninfo', { kind: 'slow', ms: 300 }, instances.length);
    const statuses = await Promise.all(
      instances.map((instance) =>
        sendMany(instance, credential, 1000, (client) => client.send('GET', MANIFEST)),
      ),
    );
    expect(statuses).toEqual([new Set([200]), new Set([200])]);
    expect(provider.count()).toBe(instances.length);
  });

  test('many pushes ask for the teams once, whatever form the token comes in', async () => {
    const { provider } = scene;
    const instance = await scene.start();
    const token = provider.issueToken('alice');
    provider.plan('teams', { kind: 'slow', ms: 300 }, 1);
    for (const credential of [bearer(token), basic('oauth2', token)]) {
      const statuses = await sendMany(instance, credential, 200, (client) =>
        client.send('POST', UPLOADS),
      );
      expect(statuses).toEqual(new Set([202]));
    }
    await sendMany(instance, basic('oauth2', token), 100, (client) => askForToken(client, APP));
    expect([provider.count('tokeninfo'), provider.count('teams')]).toEqual([1, 1]);
    // Another token of the same employee.
    await expectStatus(aliceAt(instance.url).send('POST', UPLOADS), 202);
    expect([provider.count('tokeninfo'), provider.count('teams')]).toEqual([2, 1]);
  });

  test('that nobody knows is asked about once', async () => {
    const instance = await scene.start();
    scene.provider.plan('tokeninfo', { kind: 'slow', ms: 300 }, 1);
    const statuses = await sendMany(instance, bearer('bad'), 1000, (client) =>
      client.send('GET', MANIFEST),
    );
    expect(statuses).toEqual(new Set([401, 429]));
    expect(scene.provider.count()).toBe(1);
  });

  test('that is revoked goes on for two minutes at most', async () => {
    const { provider } = scene;
    const clock = { now: Date.now() };
    const now = () => clock.now;
    const url = provider.urlOf('tokeninfo');
    const check = new TokenCheck([new TokeninfoVerifier({ url, now })], { now });
    const token = provider.issueToken('alice');
    await check.check(token);
    provider.revoke(token);
    clock.now += 119_000;
    expect((await check.check(token)).principal.uid).toBe('alice');
    clock.now += 1000;
    await expect(check.check(token)).rejects.toThrow(InvalidCredential);
    expect(provider.count()).toBe(2);
  });
});

describe('failed logins', () => {
  const PROXY = { HTTP_TRUSTED_PROXIES: '127.0.0.1', HTTP_AUTH_CHALLENGE: 'bearer' };

  function from(address: string, credential: Readonly<Record<string, string>>) {
    return { ...credential, 'X-Forwarded-For': address };
  }

  function expectTooMany(answer: HttpAnswer): void {
    expect([answer.status, errorCodeOf(answer)]).toEqual([429, 'TOOMANYREQUESTS']);
    expect(Number(answer.headers['retry-after'])).toBeGreaterThan(0);
    expect(Number(answer.headers['retry-after'])).toBeLessThanOrEqual(60);
  }

  async function fail(client: AccessClient, times: number): Promise<void> {
    for (let n = 0; n < times; n += 1) {
      await expectStatus(n % 2 ? client.send('GET', MANIFEST) : askForToken(client, APP), 401);
    }
  }

  test.each([
    ['token', bearer('bad')],
    ['instance identity document', basic('instance-identity-document', 'bad\ndocument')],
  ])('end a %s alone, and for its source alone', async (_, bad) => {
    const { url } = await scene.start(PROXY);
    const node = '10.0.0.1';
    const client = new AccessClient(url, from(node, bad));
    await fail(client, 10);
    expectTooMany(await client.send('GET', MANIFEST));
    expectTooMany(await client.send('POST', UPLOADS));
    expectTooMany(await askForToken(client, APP));
    const good = bearer(scene.provider.issueToken('alice'));
    await expectStatus(new AccessClient(url, from(node, good)).send('GET', MANIFEST), 200);
    const otherBad = from(node, bearer('also-bad'));
    await expectStatus(new AccessClient(url, otherBad).send('GET', MANIFEST), 401);
    await expectStatus(new AccessClient(url, from('10.0.0.2', bad)).send('GET', MANIFEST), 401);
  });

  test('with very many tokens end a source, but not for those who were let in', async () => {
    const { url } = await scene.start(PROXY);
    const node = '10.0.0.3';
    const at = (token: string) => new AccessClient(url, from(node, bearer(token)));
    const good = scene.provider.issueToken('alice');
    const registryToken = await registryTokenOf(at(good), APP, 'pull');
    for (let n = 0; n < 100; n += 1) await fail(at(`bad-${n}`), 1);
    const asked = scene.provider.count();
    expectTooMany(await at('another').send('GET', MANIFEST));
    expectTooMany(await at(scene.provider.issueToken('alice')).send('GET', MANIFEST));
    expect(scene.provider.count()).toBe(asked);
    await expectStatus(at(good).send('GET', MANIFEST), 200);
    await expectStatus(at(registryToken).send('GET', MANIFEST), 200);
    // Someone else's, who writes the header.
    const others = from('10.0.0.3, 10.0.0.4', bearer(scene.provider.issueToken('alice')));
    await expectStatus(new AccessClient(url, others).send('GET', MANIFEST), 200);
  });
});
