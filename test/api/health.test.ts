import { afterAll, beforeAll, expect, test } from 'vitest';
import { type AccessScene, openAccessScene } from '../support/access-scene.ts';
import type { TestRegistry } from '../support/test-registry.ts';

let scene: AccessScene;
let registry: TestRegistry;

beforeAll(async () => {
  scene = await openAccessScene();
  registry = await scene.start();
});

afterAll(() => scene?.close());

test.each(['GET', 'POST'])(
  '%s /.well-known/health is the original’s, for everybody',
  async (method) => {
    const { status, headers, body } = await registry.api.send(method, '/.well-known/health');
    expect([status, headers['content-type'], body.toString()]).toEqual([
      200,
      'application/json',
      '{"health": true}',
    ]);
  },
);

test.each(['/teams', '/events', '/stats', '/tags/sha256', '/search?q=a', '/v1/search?q=a'])(
  'GET %s asks who is there, in the form of the REST API',
  async (path) => {
    const { status, headers, body } = await registry.api.send('GET', path);
    expect([status, headers['www-authenticate']]).toEqual([
      401,
      'Basic realm="Pier One Docker Registry"',
    ]);
    expect(JSON.parse(body.toString())).toEqual({
      message: expect.stringContaining('log in'),
      details: null,
    });
  },
);
