import { decodeJwt, decodeProtectedHeader, type JWTPayload, SignJWT, UnsecuredJWT } from 'jose';
import { beforeEach, describe, expect, test } from 'vitest';
import { type Identity, IdentityUnavailable, InvalidCredential } from '../../src/auth/identity.ts';
import { RegistryTokens } from '../../src/auth/registry-token.ts';
import type { Grant } from '../../src/auth/token-claims.ts';
import { ConfiguredTokenKeys, type TokenKeys } from '../../src/auth/token-keys.ts';
import { ANONYMOUS } from '../../src/oci/principal.ts';

const SECRET = 'a secret of thirty-two characters';
const OTHER_SECRET = 'another one, of so many characters';
const KEYS = new ConfiguredTokenKeys([SECRET]);
const IDS = { registryId: '11111111-2222-3333-4444-555555555555', service: 'pierone.example.org' };
const START = Date.UTC(2026, 0, 1);

const ALICE: Identity = {
  principal: { uid: 'alice', realm: 'employees' },
  kind: 'oauth',
  scopes: new Set(['uid']),
};
const CI: Identity = {
  principal: {
    uid: 'repo:acme/hello',
    issuer: 'https://ci.example.org',
    claims: { repository: 'acme/hello', run: '17' },
  },
  kind: 'oauth',
  scopes: new Set(),
};
const PULL: Grant = { type: 'repository', name: 'acme/hello', actions: ['pull'] };
const PUSH: Grant = { type: 'repository', name: 'acme/hello', actions: ['pull', 'push'] };
const CATALOG: Grant = { type: 'registry', name: 'catalog', actions: ['*'] };

let now = START;
let tokens: RegistryTokens;

function open(keys: TokenKeys = KEYS, changed: Partial<typeof IDS> = {}): RegistryTokens {
  return new RegistryTokens({ keys, ...IDS, ...changed, now: () => now });
}

async function issue(subject: Identity | 'anonymous' = ALICE, access: readonly Grant[] = [PUSH]) {
  return (await tokens.issue(subject, access, [])).token;
}

beforeEach(() => {
  now = START;
  tokens = open();
});

describe('a registry token', () => {
  test('says who bears it, what is granted, and why something is not', async () => {
    const reason = 'push needs a member of the team other';
    const refusal = { name: 'other/hello', action: 'push', reason } as const;
    const { token, expiresInSeconds, issuedAt } = await tokens.issue(
      CI,
      [PUSH, { ...PULL, name: 'other/hello' }, CATALOG],
      [refusal],
    );
    expect([expiresInSeconds, issuedAt]).toEqual([300, new Date(START)]);
    expect(await tokens.verify(token)).toEqual({
      principal: CI.principal,
      kind: 'oauth',
      access: new Map([
        ['acme/hello', new Set(['pull', 'push'])],
        ['other/hello', new Set(['pull'])],
      ]),
      mayReadCatalog: true,
      refused: new Map([['other/hello push', reason]]),
      expires: START + 300_000,
    });
  });

  test('is a JWT with the names that others know', async () => {
    const token = await issue();
    expect(decodeProtectedHeader(token)).toEqual({
      alg: 'HS256',
      typ: 'pierone-registry+jwt',
      kid: (await KEYS.signingKey()).id,
    });
    expect(decodeJwt(token)).toMatchObject({
      iss: `pierone:${IDS.registryId}`,
      aud: IDS.service,
      sub: 'alice',
      realm: 'employees',
      access: [PUSH],
      iat: START / 1000,
      nbf: START / 1000,
      exp: START / 1000 + 300,
    });
  });

  test('is another one each time', async () => {
    expect(decodeJwt(await issue()).jti).not.toBe(decodeJwt(await issue()).jti);
  });

  test('of nobody is anonymous, and of somebody with that name is not', async () => {
    const nobody = await tokens.verify(await issue('anonymous', [PULL]));
    expect([nobody.principal, nobody.kind]).toEqual([ANONYMOUS, 'anonymous']);
    const namesake = { ...ALICE, principal: { uid: 'anonymous' } };
    expect((await tokens.verify(await issue(namesake))).kind).toBe('oauth');
  });

  test('of a machine stays one of a machine', async () => {
    expect((await tokens.verify(await issue({ ...ALICE, kind: 'instance' }))).kind).toBe(
      'instance',
    );
  });

  test('grants nothing in another repository', async () => {
    const { access, mayReadCatalog } = await tokens.verify(await issue());
    expect([access.get('acme/other'), mayReadCatalog]).toEqual([undefined, false]);
  });

  test.each([
    ['longer than a token lives', 3600, 300],
    ['for two minutes', 120, 120],
    ['for a moment', 5, 60],
  ])('for a credential that is valid %s', async (_, remainingSeconds, seconds) => {
    const subject = { ...ALICE, expires: START + remainingSeconds * 1000 };
    expect((await tokens.issue(subject, [], [])).expiresInSeconds).toBe(seconds);
  });

  test('is accepted by an instance whose clock is 29 seconds off', async () => {
    const token = await issue();
    now = START - 29_000;
    await open().verify(token);
    now = START + 329_000;
    await open().verify(token);
  });
});

describe('the size of a token is bounded', () => {
  const names = Array.from({ length: 100 }, (_, i) => `team/${String(i).padStart(250, 'a')}`);

  test('with many long names the first are granted', async () => {
    const all = names.map((name) => ({ ...PUSH, name }));
    const refused = names.map((name) => ({ name, action: 'push', reason: 'ä'.repeat(9) }) as const);
    const { token } = await tokens.issue(ALICE, all, refused);
    expect(token.length).toBeLessThan(6 * 1024);
    const { access } = await tokens.verify(token);
    expect(access.size).toBeGreaterThan(5);
    expect([...access.keys()]).toEqual(names.slice(0, access.size));
  });

  test('a long reason is cut', async () => {
    const refusal = { name: 'acme/hello', action: 'push', reason: '🚢'.repeat(1000) } as const;
    const { token } = await tokens.issue(ALICE, [PULL], [refusal]);
    const { refused, access } = await tokens.verify(token);
    expect(refused.get('acme/hello push')).toBe(`${'🚢'.repeat(199)}…`);
    expect(access.size).toBe(1);
  });

  test('with many reasons the first are told', async () => {
    const refused = names.map((name) => ({ name, action: 'push', reason: 'no' }) as const);
    const { token } = await tokens.issue(ALICE, [PUSH], refused);
    const content = await tokens.verify(token);
    expect(content.access.size).toBe(1);
    expect(content.refused.get(`${names[0]} push`)).toBe('no');
    expect(token.length).toBeLessThan(2 * 1024);
  });

  test('a bearer who fits in none gets none', async () => {
    const subject = { ...ALICE, principal: { uid: 'x'.repeat(4000) } };
    await expect(tokens.issue(subject, [PULL], [])).rejects.toMatchObject({
      name: 'InvalidCredential',
      kind: 'forbidden',
    });
  });
});

describe('refused is', () => {
  /** A token as ours, but for what `change` says; signed by `secret`. */
  async function forge(
    change: (payload: JWTPayload) => JWTPayload,
    header: { alg?: string; kid?: string; typ?: string } = {},
    secret?: Uint8Array,
  ): Promise<string> {
    const key = await KEYS.signingKey();
    const payload = decodeJwt(await issue());
    return new SignJWT(change(payload))
      .setProtectedHeader({ alg: 'HS256', typ: 'pierone-registry+jwt', kid: key.id, ...header })
      .sign(secret ?? key.secret);
  }

  const same = (payload: JWTPayload) => payload;
  const without = (name: string) => (payload: JWTPayload) =>
    Object.fromEntries(Object.entries(payload).filter(([key]) => key !== name));

  test('nothing that is forged as the next tests do it, but without a fault', async () => {
    await tokens.verify(await forge(same));
  });

  const FORGED: readonly (readonly [string, () => Promise<string>])[] = [
    ['garbage', async () => 'garbage'],
    ['three parts of garbage', async () => 'a.b.c'],
    [
      'a token without signature (alg none)',
      async () => {
        const payload = decodeJwt(await issue());
        return new UnsecuredJWT(payload).encode();
      },
    ],
    ['a token whose signature was cut off', async () => (await issue()).replace(/[^.]*$/, '')],
    [
      'a token whose claims were exchanged',
      async () => {
        const [header, , signature] = (await issue('anonymous', [PULL])).split('.');
        return [header, (await issue()).split('.')[1], signature].join('.');
      },
    ],
    ['a token of another key under a known id', () => forge(same, {}, Buffer.from(OTHER_SECRET))],
    ['a token of an unknown key', () => forge(same, { kid: 'unknown' })],
    [
      'a token that names no key',
      async () =>
        new SignJWT(decodeJwt(await issue()))
          .setProtectedHeader({ alg: 'HS256', typ: 'pierone-registry+jwt' })
          .sign((await KEYS.signingKey()).secret),
    ],
    [
      'a token of another algorithm',
      async () =>
        forge(
          same,
          { alg: 'HS512' },
          Buffer.concat([Buffer.from(OTHER_SECRET), Buffer.from(SECRET)]),
        ),
    ],
    ['a token of another type', () => forge(same, { typ: 'JWT' })],
    ['a token of another registry', () => forge((payload) => ({ ...payload, iss: 'pierone:x' }))],
    ['a token for another service', () => forge((payload) => ({ ...payload, aud: 'x' }))],
    ['a token that never ends', () => forge(without('exp'))],
    ['a token without issuer', () => forge(without('iss'))],
    ['a token without audience', () => forge(without('aud'))],
    ['a token without subject', () => forge(without('sub'))],
    [
      'a token with actions that there are not',
      () => forge((payload) => ({ ...payload, access: [{ ...PUSH, actions: ['*'] }] })),
    ],
    [
      'a token that is not valid yet',
      () => forge((payload) => ({ ...payload, nbf: START / 1000 + 31 })),
    ],
  ];

  test.each(FORGED)('%s', async (_, make) => {
    const verifying = tokens.verify(await make());
    await expect(verifying).rejects.toThrow(InvalidCredential);
    await expect(verifying).rejects.toMatchObject({ kind: 'invalid' });
  });

  test.each([
    ['by an instance that has seen it before', () => tokens],
    ['by an instance that has not', () => open()],
  ])('a token replayed after its end, %s', async (_, instance) => {
    const token = await issue();
    await tokens.verify(token);
    now = START + 331_000;
    expect(instance().cached(token)).toBeUndefined();
    await expect(instance().verify(token)).rejects.toThrow('has expired');
  });

  test.each([
    ['of another registry', open(KEYS, { registryId: 'other' })],
    ['of another service', open(KEYS, { service: 'other.example.org' })],
    ['with another secret', open(new ConfiguredTokenKeys([OTHER_SECRET]))],
  ])('a token by an instance %s', async (_, other) => {
    await expect(other.verify(await issue())).rejects.toThrow(InvalidCredential);
  });
});

test('what says that it is of this registry is recognized, forged or not', async () => {
  const token = await issue();
  expect(tokens.recognizes(token)).toBe(true);
  expect(tokens.recognizes(new UnsecuredJWT({ iss: `pierone:${IDS.registryId}` }).encode())).toBe(
    true,
  );
  expect(open(KEYS, { registryId: 'other' }).recognizes(token)).toBe(false);
  expect(['opaque', 'a.b.c', '', '..'].map((text) => tokens.recognizes(text))).toEqual([
    false,
    false,
    false,
    false,
  ]);
});

test('only a token that was verified is answered from memory', async () => {
  const token = await issue();
  expect(tokens.cached(token)).toBeUndefined();
  const content = await tokens.verify(token);
  expect(tokens.cached(token)).toBe(content);
  expect(tokens.cached(`${token}x`)).toBeUndefined();
});

test('tokens of both secrets are accepted while they are rotated', async () => {
  const before = await issue();
  const rotated = open(new ConfiguredTokenKeys([OTHER_SECRET, SECRET]));
  await rotated.verify(before);
  const after = (await rotated.issue(ALICE, [PUSH], [])).token;
  await expect(tokens.verify(after)).rejects.toThrow(InvalidCredential);
  await open(new ConfiguredTokenKeys([OTHER_SECRET])).verify(after);
});

test('that the keys cannot be read is told as that, never as an invalid token', async () => {
  const unavailable = () => Promise.reject(new IdentityUnavailable('DATABASE_URL', 'gone'));
  const keys = { signingKey: unavailable, findKey: unavailable, close: () => Promise.resolve() };
  await expect(open(keys).verify(await issue())).rejects.toThrow(IdentityUnavailable);
  await expect(open(keys).issue(ALICE, [], [])).rejects.toThrow(IdentityUnavailable);
});
