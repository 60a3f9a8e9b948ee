import { describe, expect, test } from 'vitest';
import { MAX_SCOPED_REPOSITORIES, readScopes } from '../../src/auth/token-scope.ts';

function read(...values: string[]) {
  const { repositories, wantsCatalog } = readScopes(values);
  const list = [...repositories].map(([name, actions]) => `${name}:${[...actions].join(',')}`);
  return wantsCatalog ? [...list, 'catalog'] : list;
}

// biome-ignore format: a table is read by its columns
describe('a scope', () => {
  test.each([
    ['of a pull',                        ['repository:acme/hello:pull'], ['acme/hello:pull']],
    ['of a push',                        ['repository:acme/hello:pull,push'], ['acme/hello:pull,push']],
    ['of a deep name',                   ['repository:acme/a/b/c:pull'], ['acme/a/b/c:pull']],
    ['with a class',                     ['repository(plugin):acme/hello:pull'], ['acme/hello:pull']],
    ['of the catalog',                   ['registry:catalog:*'], ['catalog']],
    ['of everything',                    ['repository:acme/hello:*'], ['acme/hello:pull,push']],
    ['with actions unknown here',        ['repository:acme/hello:delete,pull,constructor'], ['acme/hello:pull']],
    ['with unknown actions alone',       ['repository:acme/hello:delete'], []],
    ['without actions',                  ['repository:acme/hello:'], []],
    ['of an unknown type',               ['namespace:acme/hello:pull'], []],
    ['of a name of one segment',         ['repository:hello:pull'], []],
    ['of a name with a host',            ['repository:example.org:5000/acme/hello:pull'], []],
    ['of a name that is none',           ['repository:Acme/../hello:pull'], []],
    ['that is garbage',                  ['pull', ':::', 'repository:', ''], []],
    ['twice, in two values',             ['repository:acme/a:pull', 'repository:acme/b:pull'], ['acme/a:pull', 'acme/b:pull']],
    ['twice, in one value',              ['repository:acme/a:pull  registry:catalog:*'], ['acme/a:pull', 'catalog']],
    ['of one repository, in two parts',  ['repository:acme/a:pull', 'repository:acme/a:push'], ['acme/a:pull,push']],
    ['to be pushed to behind a source',  ['repository:acme/a:pull repository:acme/b:pull,push'], ['acme/b:pull,push', 'acme/a:pull']],
  ])('%s', (_, values, expected) => {
    expect(read(...values)).toEqual(expected);
  });
});

test('only what asks for nothing at all is empty', () => {
  expect([[], [''], [' ']].map((values) => readScopes(values).isEmpty)).toEqual([true, true, true]);
  expect(readScopes(['garbage']).isEmpty).toBe(false);
});

test('of many repositories the first are looked at, those to be pushed to before all', () => {
  const sources = Array.from({ length: 50 }, (_, i) => `repository:acme/source-${i}:pull`);
  const scopes = read(...sources, 'repository:acme/target:pull,push');
  expect(scopes).toHaveLength(MAX_SCOPED_REPOSITORIES);
  expect(scopes.slice(0, 2)).toEqual(['acme/target:pull,push', 'acme/source-0:pull']);
});
