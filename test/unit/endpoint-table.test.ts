import { describe, expect, test } from 'vitest';
import { EndpointTable } from '../../src/http/rest/endpoint-table.ts';
import { ENDPOINTS } from '../../src/http/rest/endpoints.ts';

const table = new EndpointTable(ENDPOINTS);

/** The operation that answers a GET, and the values in its path. */
function match(path: string) {
  const found = table.match(path);
  return found && [found.endpoints.get('GET')?.id, found.values];
}

describe('a path names an endpoint', () => {
  test.each([
    ['/teams', 'listTeams', {}],
    ['/teams/', 'listTeams', {}],
    ['/teams///', 'listTeams', {}],
    ['/teams/a/artifacts', 'listArtifacts', { team: 'a' }],
    ['/teams/teams/artifacts/artifacts/tags', 'listTags', { team: 'teams', artifact: 'artifacts' }],
    ['/teams/a/artifacts/b%2Fc/tags', 'listTags', { team: 'a', artifact: 'b/c' }],
    ['/teams/a/artifacts/b/tags/tags', 'getTag', { team: 'a', artifact: 'b', tag: 'tags' }],
    ['/teams/a/artifacts/b/tags/1/events', 'listTagEvents', { team: 'a', artifact: 'b', tag: '1' }],
    ['/stats/teams', 'listTeamStatistics', {}],
    ['/stats/teams/teams', 'getTeamStatistics', { team: 'teams' }],
    ['/tags/sha256%3Aab', 'findImage', { image: 'sha256:ab' }],
    ['/v1/repositories/a/b/tags/c', 'getTagV1', { team: 'a', artifact: 'b', tag: 'c' }],
  ])('%s → %s', (path, id, values) => {
    expect(match(path)).toEqual([id, values]);
  });

  test.each([
    '/',
    '//',
    '/Teams',
    '/teams/a',
    '/teams//artifacts',
    '/teams/a/artifacts/b/c/tags',
    '/tags',
    '/tags/%zz',
    '/tags/%C3',
    '/stats/teams/a/b',
  ])('%s → none', (path) => {
    expect(match(path)).toBeUndefined();
  });
});

test('no two endpoints have the same name, or the same method and path', () => {
  const ids = ENDPOINTS.map(({ id }) => id);
  const places = ENDPOINTS.map(
    ({ method, template }) => `${method} ${template.replaceAll(/\{\w+\}/g, '{}')}`,
  );
  expect([new Set(ids).size, new Set(places).size]).toEqual([ids.length, places.length]);
});

test('what the original asks a token for although all may read, asks for one here', () => {
  const needs = (access: string) =>
    ENDPOINTS.filter((endpoint) => endpoint.access === access).map(({ id }) => id);
  expect(needs('authenticated').toSorted()).toEqual([
    'findImage',
    'getStatistics',
    'getTeamStatistics',
    'listDeliveries',
    'listEvents',
    'listTagEvents',
    'listTeamStatistics',
    'recheckArtifact',
    'recheckTag',
    'whoAmI',
  ]);
  expect(needs('none').toSorted()).toEqual([
    'discoverSchema',
    'getOpenApi',
    'getSwagger',
    'pingV1',
  ]);
});
