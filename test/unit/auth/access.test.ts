import { beforeEach, expect, test } from 'vitest';
import { RegistryTokens } from '../../../src/auth/registry-token.ts';
import type { Grant } from '../../../src/auth/token-claims.ts';
import { ConfiguredTokenKeys } from '../../../src/auth/token-keys.ts';
import { parseRepositoryName, type RepositoryName } from '../../../src/oci/repository-name.ts';
import { ListedAccess } from '../../support/token-access.ts';

/*
 * What registry tokens of nobody are good for, wherever they come from: one may have been given while nothing was
 * protected, or while everyone could read.
 */

const EVERYTHING: readonly Grant[] = [
  { type: 'registry', name: 'catalog', actions: ['*'] },
  { type: 'repository', name: 'acme/app', actions: ['pull', 'push', 'push-with-source'] },
];

let tokens: RegistryTokens;

beforeEach(() => {
  const keys = new ConfiguredTokenKeys(['a secret of thirty-two characters']);
  tokens = new RegistryTokens({ keys, registryId: 'r', service: 'pierone.example.org' });
});

async function openForNobody(allowsPublicRead: boolean) {
  const listed = new ListedAccess();
  const settings = { isSecured: true, allowsPublicRead, knowsTeams: true };
  const access = Object.assign(listed, { settings }).open(tokens);
  const { token } = await tokens.issue('anonymous', EVERYTHING, []);
  const caller = await access.authenticate({ kind: 'token', token }, () => '127.0.0.1');
  return { access, caller };
}

function nameOf(text: string): RepositoryName {
  const name = parseRepositoryName(text);
  if (name === undefined) throw new Error(`${text} names no repository`);
  return name;
}

test.each([
  ['pull', false, true],
  ['pull', true, false],
  ['push', false, true],
  ['push', true, true],
  ['push-with-source', true, true],
] as const)(
  'a token of nobody: %s, public read %s: refused %s',
  async (action, isPublic, isRefused) => {
    const { access, caller } = await openForNobody(isPublic);
    const decision = await access.decide(caller, action, nameOf('acme/app'));
    expect(decision).toMatchObject(
      isRefused
        ? { isAllowed: false, code: 'UNAUTHORIZED', reason: expect.stringContaining('log in') }
        : { isAllowed: true },
    );
  },
);

test('a token of nobody opens no list that public read keeps closed', async () => {
  const { access, caller } = await openForNobody(true);
  expect(access.decideLists(caller, true).isAllowed).toBe(true);
  expect(access.decideLists(caller, false)).toMatchObject({ code: 'UNAUTHORIZED' });
});
