import { afterAll, beforeAll, expect, test } from 'vitest';
import { openFixture, type RegistryFixture } from '../support/test-registry.ts';

let fixture: RegistryFixture;

beforeAll(async () => {
  fixture = await openFixture();
});

afterAll(() => fixture?.close());

test('the registry speaks as this project says', async () => {
  const { registry } = fixture;
  const isTls = process.env['TEST_TLS_DIRECTORY'] !== undefined;
  expect(new URL(registry.url).protocol).toBe(isTls ? 'https:' : 'http:');
  const { status, headers } = await registry.api.send('GET', '/v2/');
  expect(status).toBe(200);
  // uWebSockets.js says so itself.
  expect('uwebsockets' in headers).toBe(process.env['TEST_TRANSPORT'] === 'uws');
});
