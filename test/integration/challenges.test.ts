import { afterAll, beforeAll, expect, test } from 'vitest';
import { type AccessScene, APP, bearer, openAccessScene } from '../support/access-scene.ts';
import type { TestRegistry } from '../support/test-registry.ts';

const DIGEST = `sha256:${'0'.repeat(64)}`;

let scene: AccessScene;
let registry: TestRegistry;

beforeAll(async () => {
  scene = await openAccessScene();
  registry = await scene.start({ HTTP_AUTH_CHALLENGE: 'bearer' });
});

afterAll(() => scene?.close());

const PULL = `repository:${APP}:pull`;
const PUSH = `repository:${APP}:pull,push`;

test.each([
  ['GET', `/v2/${APP}/manifests/1.0`, PULL],
  ['HEAD', `/v2/${APP}/blobs/${DIGEST}`, PULL],
  ['GET', `/v2/${APP}/tags/list`, PULL],
  ['PUT', `/v2/${APP}/manifests/1.0`, PUSH],
  ['POST', `/v2/${APP}/blobs/uploads/`, PUSH],
  ['GET', `/v2/${APP}/blobs/uploads/1`, PUSH],
  ['GET', '/v2/_catalog', 'registry:catalog:*'],
])(
  'a token that is not valid any more can be renewed by the challenge: %s %s',
  async (method, path, scope) => {
    const { status, headers } = await registry.api.send(method, path, {
      headers: bearer('expired'),
    });
    const challenge = headers['www-authenticate'] ?? '';
    expect([status, /scope="([^"]*)"/.exec(challenge)?.[1]]).toEqual([401, scope]);
    expect(challenge).toContain('error="invalid_token"');
  },
);

test.each(['/v2/', '/v2/NO/NAME/tags/list'])(
  'what concerns no repository needs no scope: %s',
  async (path) => {
    const answer = await registry.api.send('GET', path, { headers: bearer('revoked') });
    expect(answer.headers['www-authenticate']).toMatch(/^Bearer (?!.*scope=)/);
  },
);
