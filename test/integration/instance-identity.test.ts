import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { IdentityUnavailable, InvalidCredential } from '../../src/auth/identity.ts';
import { InstanceIdentityVerifier } from '../../src/auth/instance-identity.ts';
import { type IdentityProvider, startIdentityProvider } from '../support/identity-provider.ts';
import { PROVIDER_FAULTS } from '../support/identity-provider-faults.ts';
import { leaksOf } from '../support/secrecy.ts';

const SECOND_MS = 1000;
/** Any 200 is a yes, as with the original, whatever the body says. */
const A_YES = new Set([
  'answers HTML',
  'answers broken JSON',
  'answers nothing',
  'answers null',
  'answers a number',
]);

let provider: IdentityProvider;

beforeAll(async () => {
  provider = await startIdentityProvider();
});
beforeEach(async () => {
  await provider.comeBack();
  provider.mend();
  provider.clear();
});
afterAll(() => provider.close());

function open(maxEntries = 100) {
  const clock = { ms: 0 };
  const url = new URL(provider.urlOf('iidinfo'));
  return {
    clock,
    verifier: new InstanceIdentityVerifier({ url, maxEntries, now: () => clock.ms }),
  };
}

const failureOf = (answer: Promise<unknown>): Promise<unknown> =>
  answer.then(
    () => 'an answer',
    (error: unknown) => error,
  );

describe('a genuine document', () => {
  test('stands for a machine without scopes, named by account and instance', async () => {
    const document = provider.addInstance({ accountId: '123456789012', instanceId: 'i-0abc' });
    expect(await open().verifier.verify(document)).toEqual({
      kind: 'instance',
      principal: { uid: 'instance-identity-document/123456789012/i-0abc' },
      scopes: new Set(),
    });
  });

  test('is sent as it was given, newlines and all', async () => {
    const document = provider.addInstance();
    expect(document).toContain('\n');
    await open().verifier.verify(document);
    const [request] = provider.requests();
    expect(request).toMatchObject({ method: 'POST', target: '/iidinfo' });
    expect(JSON.parse(request?.body ?? '')).toEqual({ iid_signature: document });
  });

  test.each<[string, unknown, string]>([
    ['nothing', '', ''],
    ['no JSON', 'OK', ''],
    ['other names', '{"account_id": "12", "instance_id": "i-1"}', '/12/i-1'],
    ['an account alone', '{"accountId": "12"}', '/12'],
    ['what is no id', '{"accountId": "a b", "instanceId": 7}', ''],
    ['a uid', '{"uid": "alice"}', ''],
  ])('is told from people whatever the service says: %s', async (_, body, name) => {
    provider.plan('iidinfo', { kind: 'answer', status: 200, body: String(body) });
    const identity = await open().verifier.verify('document');
    expect(identity.principal).toEqual({ uid: `instance-identity-document${name}` });
  });
});

describe('what is refused', () => {
  test('the document of an unknown machine', async () => {
    const document = provider.forgeInstance();
    const error = await failureOf(open().verifier.verify(document));
    expect(error).toBeInstanceOf(InvalidCredential);
    expect(leaksOf(document, error)).toEqual([]);
  });

  test('a genuine one with its newlines changed', async () => {
    const document = provider.addInstance().replaceAll('\n', '\r\n');
    expect(await failureOf(open().verifier.verify(document))).toBeInstanceOf(InvalidCredential);
  });

  test.each([400, 401, 403, 404, 422])('what the service answers with %i', async (status) => {
    provider.plan('iidinfo', { kind: 'answer', status, body: '{}' });
    expect(await failureOf(open().verifier.verify('x'))).toBeInstanceOf(InvalidCredential);
  });

  test('more than 8 KiB, and nothing at all: nobody is asked', async () => {
    const { verifier } = open();
    for (const document of ['a'.repeat(8 * 1024 + 1), 'ä'.repeat(4 * 1024 + 1), '']) {
      expect(await failureOf(verifier.verify(document))).toBeInstanceOf(InvalidCredential);
    }
    expect(provider.count()).toBe(0);
    await failureOf(verifier.verify('a'.repeat(8 * 1024)));
    expect(provider.count()).toBe(1);
  });
});

describe('a service that fails is unavailable, and nothing is said of document and URL', () => {
  const faults = Object.entries(PROVIDER_FAULTS).filter(([name]) => !A_YES.has(name));

  test.each([
    ...faults,
    ['answers 204', { kind: 'answer', status: 204, body: '' }] as const,
    ['is slow', { kind: 'slow', ms: 10_000 }] as const,
  ])('%s', async (_, fault) => {
    const { verifier } = open();
    const document = provider.addInstance();
    provider.plan('iidinfo', fault);
    const error = await failureOf(verifier.verify(document));
    expect(error).toBeInstanceOf(IdentityUnavailable);
    expect(error).toMatchObject({ setting: 'HTTP_IIDINFO_URL' });
    expect(leaksOf(document, error)).toEqual([]);
    expect(leaksOf(provider.issuer, error)).toEqual([]);
    expect(provider.count()).toBe(1);
    provider.mend();
    expect(await verifier.verify(document)).toMatchObject({ kind: 'instance' });
  });

  test('is down', async () => {
    const { verifier } = open();
    const document = provider.addInstance();
    await provider.vanish();
    expect(await failureOf(verifier.verify(document))).toBeInstanceOf(IdentityUnavailable);
  });
});

test('however many documents come at once, the service is asked for a bounded number', async () => {
  const { verifier } = open();
  const documents = Array.from({ length: 1000 }, (_, n) => `made up ${n}`);
  const errors = await Promise.all(documents.map((one) => failureOf(verifier.verify(one))));
  const refused = errors.filter((error) => error instanceof InvalidCredential);
  const postponed = errors.filter((error) => error instanceof IdentityUnavailable);
  expect(refused.length + postponed.length).toBe(1000);
  expect(refused.length).toBeGreaterThan(0);
  // The service may answer too late where a machine is busy.
  expect(refused.length).toBeLessThanOrEqual(provider.count());
  expect(provider.count()).toBeLessThanOrEqual(320);
  const document = provider.addInstance();
  expect(await verifier.verify(document)).toMatchObject({ kind: 'instance' });
});

describe('what is remembered', () => {
  test('a genuine document for two minutes, also while the service is down, and not longer', async () => {
    const { clock, verifier } = open();
    const document = provider.addInstance();
    await Promise.all(Array.from({ length: 500 }, () => verifier.verify(document)));
    await provider.vanish();
    clock.ms = 120 * SECOND_MS - 1;
    expect(await verifier.verify(document)).toMatchObject({ kind: 'instance' });
    expect(provider.count()).toBe(1);
    clock.ms = 120 * SECOND_MS;
    expect(await failureOf(verifier.verify(document))).toBeInstanceOf(IdentityUnavailable);
  });

  test('a refusal for ten seconds', async () => {
    const { clock, verifier } = open();
    const document = provider.forgeInstance();
    const refusals = Array.from({ length: 100 }, () => failureOf(verifier.verify(document)));
    for (const error of await Promise.all(refusals))
      expect(error).toBeInstanceOf(InvalidCredential);
    clock.ms = 10 * SECOND_MS - 1;
    await failureOf(verifier.verify(document));
    expect(provider.count()).toBe(1);
    clock.ms = 10 * SECOND_MS;
    await failureOf(verifier.verify(document));
    expect(provider.count()).toBe(2);
  });

  test('each document by itself, and no more of them than the limit', async () => {
    const { verifier } = open(2);
    const [a, b, c] = [provider.addInstance(), provider.addInstance(), provider.addInstance()];
    for (const document of [a, b, c, c, b]) await verifier.verify(document);
    expect(provider.count()).toBe(3);
    await verifier.verify(a);
    expect(provider.count()).toBe(4);
  });
});
