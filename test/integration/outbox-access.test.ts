import { afterAll, beforeAll, expect, test } from 'vitest';
import { StartError } from '../../src/start-up.ts';
import { type AccessScene, bearer, openAccessScene } from '../support/access-scene.ts';
import { type EventReceiver, startReceiver } from '../support/event-receiver.ts';
import { HttpSink } from '../support/http-sink.ts';
import type { TestRegistry } from '../support/test-registry.ts';

let scene: AccessScene;
let receiver: EventReceiver;
let registry: TestRegistry;

beforeAll(async () => {
  [scene, receiver] = await Promise.all([openAccessScene(), startReceiver()]);
  registry = await scene.start({}, { overrides: { sinks: [new HttpSink('test', receiver.url)] } });
});

afterAll(async () => {
  await scene?.close();
  await receiver?.close();
});

test('a push without the right to is told, once however often it is repeated', async () => {
  const headers = bearer(scene.provider.issueToken('alice'));
  for (let i = 0; i < 3; i += 1) {
    const path = '/v2/nobodys-team/app/manifests/1.0';
    const { status } = await registry.api.send('PUT', path, { headers, body: '{}' });
    expect(status).toBe(403);
  }
  await receiver.took(1);
  expect(receiver.taken).toMatchObject([
    { kind: 'denied', repository: 'nobodys-team/app', tag: '1.0' },
  ]);
  const event = receiver.taken[0]?.body.at('event');
  expect(event?.at('principal', 'uid').text).toBe('alice');
  expect(event?.at('reason').text).not.toBe('');
});

test('a credential that is not valid is told without any part of it, once in a while', async () => {
  const before = receiver.taken.length;
  for (let i = 0; i < 3; i += 1) {
    const headers = bearer('secret-of-somebody');
    const { status } = await registry.api.send('GET', '/v2/', { headers });
    expect(status).toBe(401);
  }
  await receiver.took(before + 1);
  const [first, ...others] = receiver.taken.slice(before);
  expect(others).toEqual([]);
  expect(first?.kind).toBe('login-refused');
  const event = first?.body.at('event');
  expect(event?.at('principal', 'uid').text).toBe('anonymous');
  expect(event?.at('reason').text).toMatch(/^a login from 127\.0\.0\.1 was refused: /);
  expect(event?.at('reason').text).not.toContain('secret-of-somebody');
});

test('two sinks of one name end the start with a sentence', async () => {
  const sinks = [1, 2].map(() => new HttpSink('twice', receiver.url));
  const refusal = new StartError('two sinks are called twice: rename one');
  await expect(scene.start({}, { overrides: { sinks } })).rejects.toThrow(refusal);
});
