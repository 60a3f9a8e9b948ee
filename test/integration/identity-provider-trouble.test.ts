import { afterEach, beforeEach, expect, test } from 'vitest';
import type { HttpOptions } from '../support/http-client.ts';
import { type IdentityProvider, startIdentityProvider } from '../support/identity-provider.ts';
import { ProviderClient } from '../support/identity-provider-client.ts';
import { PROVIDER_FAULTS } from '../support/identity-provider-faults.ts';
import { RawClient, requestHead } from '../support/raw-http.ts';
import { present } from '../support/vocabulary.ts';
import { waitUntil } from '../support/wait-until.ts';

let provider: IdentityProvider;
let client: ProviderClient;

beforeEach(async () => {
  provider = await startIdentityProvider();
  client = new ProviderClient(provider);
  provider.addEmployee({ uid: 'jdoe', teams: ['acme'] });
});

afterEach(() => provider.close());

test.each(Object.entries(PROVIDER_FAULTS))('%s, and says nothing of a token', async (_, fault) => {
  const token = provider.issueToken('jdoe');
  const planned = provider.plan('tokeninfo', fault);
  const gaveUp = new AbortController();
  const options = { headers: {}, signal: gaveUp.signal };
  const asked = tokeninfoBy(token, options).catch(() => 'no answer');
  await waitUntil('the request', () => planned.count() === 1);
  if (['hang', 'endless', 'drip'].includes(fault.kind)) gaveUp.abort();
  expect(await asked).not.toHaveProperty('uid');
  planned.end();
  expect((await client.tokeninfo(token)).json).toHaveProperty('uid', 'jdoe');
  expect(provider.count('tokeninfo')).toBe(2);
});

async function tokeninfoBy(token: string, options: HttpOptions): Promise<object> {
  const { status, json } = await client.tokeninfo(token, options);
  return status === 200 && typeof json === 'object' && json !== null ? json : {};
}

test.each([
  ['never ends its answer', 10_000_000],
  ['sends a byte now and then', 30],
])('%s, and goes on as long as it is read', async (name, enough) => {
  provider.plan('jwks', present(PROVIDER_FAULTS[name], name));
  const raw = await RawClient.open(Number(new URL(provider.issuer).port));
  raw.send(requestHead('GET', '/oauth2/jwks'));
  await raw.readHead();
  await waitUntil(`${enough} bytes`, () => raw.receivedBytes > enough);
  expect(raw.isClosed).toBe(false);
  raw.destroy();
});

test('may be that the right answer comes late, or under another name', async () => {
  const token = provider.issueToken('jdoe');
  provider.plan('tokeninfo', { kind: 'slow', ms: 20 }, 1);
  provider.plan('tokeninfo', { kind: 'content-type', contentType: 'text/plain' }, 1);
  expect(await client.tokeninfo(token)).toMatchObject({ status: 200, json: { uid: 'jdoe' } });
  const { headers, json } = await client.tokeninfo(token);
  expect(json).toHaveProperty('uid', 'jdoe');
  expect(headers['content-type']).toBe('text/plain');
});

test('ends by itself after so many times, and is of one endpoint alone', async () => {
  provider.plan('tokeninfo', { kind: 'answer', status: 500, body: 'null' }, 1);
  const token = provider.issueToken('jdoe');
  expect((await client.introspect(token)).status).toBe(200);
  expect((await client.tokeninfo(token)).status).toBe(500);
  expect((await client.tokeninfo(token)).status).toBe(200);
});

test('may be that it refuses connections, until it is back with all that it knew', async () => {
  const token = provider.issueToken('jdoe');
  await provider.vanish();
  await expect(client.tokeninfo(token)).rejects.toThrow('ECONNREFUSED');
  await provider.comeBack();
  expect((await client.tokeninfo(token)).status).toBe(200);
  expect(provider.count()).toBe(1);
});
