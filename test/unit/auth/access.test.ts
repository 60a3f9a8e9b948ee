import { beforeEach, expect, test } from 'vitest';
import type { Identity } from '../../../src/auth/identity.ts';
import { RegistryTokens } from '../../../src/auth/registry-token.ts';
import type { Grant } from '../../../src/auth/token-claims.ts';
import { ConfiguredTokenKeys } from '../../../src/auth/token-keys.ts';
import { parseRepositoryName, type RepositoryName } from '../../../src/oci/repository-name.ts';
import { ListedAccess } from '../../support/token-access.ts';

const EVERYTHING: readonly Grant[] = [
  { type: 'registry', name: 'catalog', actions: ['*'] },
  { type: 'repository', name: 'acme/app', actions: ['pull', 'push', 'push-with-source'] },
];

const ALICE: Identity = {
  principal: { uid: 'alice', realm: 'employees' },
  kind: 'oauth',
  scopes: new Set(),
};

let tokens: RegistryTokens;

beforeEach(() => {
  const keys = new ConfiguredTokenKeys(['a secret of thirty-two characters']);
  tokens = new RegistryTokens({ keys, registryId: 'r', service: 'pierone.example.org' });
});

async function open(
  bearer: Identity | 'anonymous',
  granted = EVERYTHING,
  allowsPublicRead = false,
) {
  const listed = new ListedAccess();
  const settings = { isSecured: true, allowsPublicRead, knowsTeams: true };
  const access = Object.assign(listed, { settings }).open(tokens);
  const { token } = await tokens.issue(bearer, granted, []);
  const caller = await access.authenticate({ kind: 'token', token }, () => '127.0.0.1');
  return { access, caller };
}

function nameOf(text: string): RepositoryName {
  const name = parseRepositoryName(text);
  if (name === undefined) throw new Error(`${text} names no repository`);
  return name;
}

/** A token of nobody may have been given while nothing was protected, or while everyone could read. */
test.each([
  ['pull', false, true],
  ['pull', true, false],
  ['push', false, true],
  ['push', true, true],
  ['push-with-source', true, true],
] as const)(
  'a token of nobody: %s, public read %s: refused %s',
  async (action, isPublic, isRefused) => {
    const { access, caller } = await open('anonymous', EVERYTHING, isPublic);
    const decision = await access.decide(caller, action, nameOf('acme/app'));
    expect(decision).toMatchObject(
      isRefused
        ? { isAllowed: false, code: 'UNAUTHORIZED', reason: expect.stringContaining('log in') }
        : { isAllowed: true },
    );
  },
);

test('a token of nobody opens no list that public read keeps closed', async () => {
  const { access, caller } = await open('anonymous', EVERYTHING, true);
  expect(access.decideLists(caller, true).isAllowed).toBe(true);
  expect(access.decideLists(caller, false)).toMatchObject({ code: 'UNAUTHORIZED' });
});

test('lists are for tokens that were made for them, and the others are told which scope they lack', async () => {
  const withCatalog = await open(ALICE);
  expect(withCatalog.access.decideLists(withCatalog.caller, false).isAllowed).toBe(true);
  const without = await open(ALICE, []);
  expect(without.access.decideLists(without.caller, true)).toMatchObject({
    code: 'UNAUTHORIZED',
    reason: expect.stringContaining('registry:catalog:*'),
  });
});
