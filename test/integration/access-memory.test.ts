import { readFile } from 'node:fs/promises';
import { Agent } from 'node:http';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Access } from '../../src/auth/access.ts';
import { InvalidCredential, type TokenVerifier } from '../../src/auth/identity.ts';
import { LoginLimiter } from '../../src/auth/login-limiter.ts';
import { RegistryTokens } from '../../src/auth/registry-token.ts';
import { Teams } from '../../src/auth/teams.ts';
import { TokenCheck } from '../../src/auth/token-check.ts';
import { ConfiguredTokenKeys } from '../../src/auth/token-keys.ts';
import { HttpClient } from '../support/http-client.ts';
import { type IdentityProvider, startIdentityProvider } from '../support/identity-provider.ts';
import { useServers } from '../support/server-fixture.ts';
import { repositoryOf } from '../support/vocabulary.ts';
import { waitUntil } from '../support/wait-until.ts';

/* Memory under more tokens than anybody remembers. */

const MIB = 1024 * 1024;
const TOKENS = 1_000_000;
/** After so many all caches are full. */
const WARM_UP = 100_000;
const BATCH = 1000;
const TEST_TIMEOUT_MS = 600_000;
/** Much less than eighteen bytes for each token. */
const MAX_GROWTH_BYTES = 16 * MIB;

const servers = useServers();
let provider: IdentityProvider;

beforeAll(async () => {
  // A test runner's long ones would be most of the work.
  Error.stackTraceLimit = 0;
  provider = await startIdentityProvider();
});
afterAll(() => provider?.close());

/** Half of the tokens are good, each of another employee. */
const EVERY_OTHER: TokenVerifier = {
  setting: 'HTTP_TOKENINFO_URL',
  recognizes: () => true,
  verify: async (token) => {
    const uid = token.slice('token-'.length);
    if (Number(uid) % 2) throw new InvalidCredential('the token is unknown');
    return { principal: { uid, realm: 'employees' }, kind: 'oauth', scopes: new Set(['uid']) };
  },
};

function openAccess(): Access {
  return new Access({
    settings: { isSecured: true, allowsPublicRead: false, knowsTeams: true },
    tokens: new TokenCheck([EVERY_OTHER], { maxRunning: BATCH }),
    instances: undefined,
    teams: new Teams({ local: [], remote: [{ teamsOf: async () => new Set(['acme']) }] }),
    registryTokens: new RegistryTokens({
      keys: new ConfiguredTokenKeys(['a secret of thirty-two characters']),
      registryId: 'r',
      service: 'pierone',
    }),
    limiter: new LoginLimiter(),
    refusals: { add: async () => undefined },
  });
}

function usedBytes(): number {
  setFlagsFromString('--expose_gc');
  const collect: unknown = runInNewContext('gc');
  if (typeof collect !== 'function') throw new Error('no garbage collection');
  collect();
  return process.memoryUsage().heapUsed;
}

test(
  'a million different tokens leave nothing in memory but full caches',
  async () => {
    const access = openAccess();
    const repository = repositoryOf('acme/app');
    /** From an address of its own, so that it isn't refused for others. */
    const push = async (n: number) => {
      const source = `10.${n >> 16}.${(n >> 8) & 255}.${n & 255}`;
      const caller = await access.authenticate(
        { kind: 'token', token: `token-${n}` },
        () => source,
      );
      return (await access.decide(caller, 'push', repository)).isAllowed;
    };
    const pushAll = async (from: number, end: number) => {
      let allowed = 0;
      for (let first = from; first < end; first += BATCH) {
        const batch = Array.from({ length: BATCH }, (_, n) => push(first + n).catch(() => false));
        allowed += (await Promise.all(batch)).filter(Boolean).length;
      }
      return allowed;
    };
    expect(await pushAll(0, WARM_UP)).toBe(WARM_UP / 2);
    const full = usedBytes();
    expect(await pushAll(WARM_UP, TOKENS)).toBe((TOKENS - WARM_UP) / 2);
    expect(usedBytes() - full).toBeLessThan(MAX_GROWTH_BYTES);
  },
  TEST_TIMEOUT_MS,
);

async function residentBytes(pid: number): Promise<number> {
  const [, kib] = /^VmRSS:\s+(\d+) kB$/m.exec(await readFile(`/proc/${pid}/status`, 'utf8')) ?? [];
  return Number(kib) * 1024;
}

/** Bad ones, `at` the address of each. @returns how often each status was answered */
async function sendBad(url: string, from: number, count: number, at: (n: number) => string) {
  const agent = new Agent({ keepAlive: true, maxSockets: 32 });
  const client = new HttpClient(url, agent);
  const statuses = new Map<number, number>();
  for (let first = from; first < from + count; first += BATCH) {
    const batch = Array.from({ length: BATCH }, async (_, index) => {
      const n = first + index;
      const headers = {
        Authorization: `Bearer ${'x'.repeat(1000)}${n}`,
        'X-Forwarded-For': at(n),
      };
      const { status } = await client.send('GET', '/v2/acme/app/manifests/1', { headers });
      statuses.set(status, (statuses.get(status) ?? 0) + 1);
    });
    await Promise.all(batch);
  }
  agent.destroy();
  return Object.fromEntries(statuses);
}

test('a server stays as large as it is under bad tokens, limited or not', async () => {
  const { server } = await servers.start({
    HTTP_TOKENINFO_URL: provider.urlOf('tokeninfo'),
    HTTP_TRUSTED_PROXIES: '127.0.0.1',
  });
  const everyone = (n: number) => `10.1.${n >> 8}.${n & 255}`;
  const one = () => '10.0.0.1';
  await sendBad(server.url, 0, 3000, everyone);
  await sendBad(server.url, 3000, 1000, one);
  const before = await residentBytes(server.pid);
  expect(await sendBad(server.url, 4000, 8000, everyone)).toEqual({ 401: 8000 });
  // A hundred a minute are told that they are bad.
  const { 401: told = 0, 429: limited = 0 } = await sendBad(server.url, 12_000, 8000, one);
  expect(told + limited).toBe(8000);
  expect(limited).toBeGreaterThan(told);
  // What is garbage is collected when the server has time for it.
  await waitUntil('its memory', async () => {
    return (await residentBytes(server.pid)) - before < 64 * MIB;
  });
});
