import { expect, test } from 'vitest';
import {
  explainRepositoryName,
  parseRepositoryName,
  REPOSITORY_NAME_MAX_LENGTH,
  teamOf,
} from '../../src/oci/repository-name.ts';
import { repositoryOf } from '../support/vocabulary.ts';

test.each([
  'acme/hello',
  'a/b',
  '1/2',
  'acme/tools/build/cache',
  'acme/blobs',
  'acme/blobs/uploads',
  'acme/manifests/tags/referrers/uploads',
  'blobs/uploads',
  'acme/a.b_c__d-e--f---g',
  'acme-team/under_score/two__under/do.t',
  `a/${'b'.repeat(REPOSITORY_NAME_MAX_LENGTH - 2)}`,
])('%s is a repository name', (text) => {
  expect(parseRepositoryName(text)).toBe(text);
});

const SHAPE = /TEAM\/ARTIFACT; each segment has lower-case letters and digits/;

test.each([
  ['', SHAPE],
  ['/', SHAPE],
  ['acme/', SHAPE],
  ['/hello', SHAPE],
  ['acme//hello', SHAPE],
  ['acme/hello/', SHAPE],
  ['Acme/hello', SHAPE],
  ['acme/Hello', SHAPE],
  ['acme/hello world', SHAPE],
  ['acme/hello\n', SHAPE],
  ['acme/.hello', SHAPE],
  ['acme/hello.', SHAPE],
  ['acme/-hello', SHAPE],
  ['acme/hello-', SHAPE],
  ['acme/_hello', SHAPE],
  ['acme/a..b', SHAPE],
  ['acme/a___b', SHAPE],
  ['acme/a._b', SHAPE],
  ['acme/..', SHAPE],
  ['acme/../etc', SHAPE],
  ['acme/häuser', SHAPE],
  ['acme/hello:1', SHAPE],
  ['acme/a%2Fb', SHAPE],
  ['hello', /put the name of your team in front, as in my-team\/hello/],
  [`a/${'b'.repeat(254)}`, /at most 255 characters, this one has 256/],
  ['a'.repeat(300), /at most 255 characters, this one has 300/],
])('%j is refused with a reason', (text, reason) => {
  expect(parseRepositoryName(text)).toBeUndefined();
  expect(explainRepositoryName(text)).toMatch(reason);
});

test('a name that nearly matches is refused quickly', () => {
  // 250 letters that can be split in very many ways: a grammar that backtracks would not end.
  expect(parseRepositoryName(`a/${'a-'.repeat(125)}!`)).toBeUndefined();
});

test('the team is the first segment', () => {
  expect(teamOf(repositoryOf('acme/tools/build'))).toBe('acme');
});
