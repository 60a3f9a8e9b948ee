import { expect, test } from 'vitest';
import { matchRoute } from '../../src/http/routes.ts';

const DIGEST = `sha256:${'a'.repeat(64)}`;
const ENCODED = DIGEST.replace(':', '%3A');

// biome-ignore format: a table is read by its columns
test.each([
  ['/v2/',                                           { kind: 'base' }],
  ['/v2',                                            { kind: 'base' }],
  ['/v2/_catalog',                                   { kind: 'catalog' }],
  ['/v2/_catalog/',                                  { kind: 'catalog' }],
  ['/v2/acme/hello/blobs/uploads/',                  { kind: 'uploads', name: 'acme/hello' }],
  ['/v2/acme/hello/blobs/uploads',                   { kind: 'uploads', name: 'acme/hello' }],
  ['/v2/acme/hello/blobs/uploads/4711',              { kind: 'upload', name: 'acme/hello', id: '4711' }],
  ['/v2/acme/hello/blobs/uploads/4711/',             { kind: 'upload', name: 'acme/hello', id: '4711' }],
  [`/v2/acme/hello/blobs/${DIGEST}`,                 { kind: 'blob', name: 'acme/hello', digest: DIGEST }],
  [`/v2/acme/hello/blobs/${ENCODED}`,                { kind: 'blob', name: 'acme/hello', digest: DIGEST }],
  ['/v2/acme/hello/blobs/nonsense',                  { kind: 'blob', name: 'acme/hello', digest: 'nonsense' }],
  ['/v2/acme/hello/manifests/1.0',                   { kind: 'manifest', name: 'acme/hello', reference: '1.0' }],
  [`/v2/acme/hello/manifests/${ENCODED}`,            { kind: 'manifest', name: 'acme/hello', reference: DIGEST }],
  ['/v2/acme/hello/tags/list',                       { kind: 'tags', name: 'acme/hello' }],
  [`/v2/acme/hello/referrers/${DIGEST}`,             { kind: 'referrers', name: 'acme/hello', digest: DIGEST }],

  // Deeper names, and one segment: whether a name is valid is decided elsewhere.
  ['/v2/a/b/c/d/manifests/1',                        { kind: 'manifest', name: 'a/b/c/d', reference: '1' }],
  ['/v2/hello/manifests/1',                          { kind: 'manifest', name: 'hello', reference: '1' }],
  ['/v2/hello/blobs/uploads/4711',                   { kind: 'upload', name: 'hello', id: '4711' }],
  ['/v2//manifests/1',                               { kind: 'manifest', name: '', reference: '1' }],
  ['/v2/acme//manifests/1',                          { kind: 'manifest', name: 'acme/', reference: '1' }],
  ['/v2/acme/../hello/manifests/1',                  { kind: 'manifest', name: 'acme/../hello', reference: '1' }],
  ['/v2/acme/a%2Fb/manifests/1',                     { kind: 'manifest', name: 'acme/a/b', reference: '1' }],
  ['/v2/acme/hello/manifests/a%2Fb',                 { kind: 'manifest', name: 'acme/hello', reference: 'a/b' }],

  // Segments that are words of the protocol.
  ['/v2/acme/blobs/blobs/uploads/',                  { kind: 'uploads', name: 'acme/blobs' }],
  ['/v2/acme/blobs/blobs/uploads/4711',              { kind: 'upload', name: 'acme/blobs', id: '4711' }],
  ['/v2/acme/blobs/uploads/blobs/uploads/',          { kind: 'uploads', name: 'acme/blobs/uploads' }],
  ['/v2/acme/blobs/uploads/blobs/uploads/4711',      { kind: 'upload', name: 'acme/blobs/uploads', id: '4711' }],
  [`/v2/acme/blobs/uploads/blobs/${DIGEST}`,         { kind: 'blob', name: 'acme/blobs/uploads', digest: DIGEST }],
  ['/v2/acme/blobs/uploads/manifests/1',             { kind: 'manifest', name: 'acme/blobs/uploads', reference: '1' }],
  ['/v2/acme/blobs/uploads/tags/list',               { kind: 'tags', name: 'acme/blobs/uploads' }],
  ['/v2/acme/manifests/manifests/manifests',         { kind: 'manifest', name: 'acme/manifests', reference: 'manifests' }],
  ['/v2/acme/tags/tags/list',                        { kind: 'tags', name: 'acme/tags' }],
  ['/v2/acme/tags/list/tags/list',                   { kind: 'tags', name: 'acme/tags/list' }],
  ['/v2/acme/tags/manifests/list',                   { kind: 'manifest', name: 'acme/tags', reference: 'list' }],
  [`/v2/acme/referrers/referrers/${DIGEST}`,         { kind: 'referrers', name: 'acme/referrers', digest: DIGEST }],
  [`/v2/acme/uploads/blobs/${DIGEST}`,               { kind: 'blob', name: 'acme/uploads', digest: DIGEST }],
  ['/v2/blobs/uploads/manifests/1',                  { kind: 'manifest', name: 'blobs/uploads', reference: '1' }],
  ['/v2/_catalog/x/manifests/1',                     { kind: 'manifest', name: '_catalog/x', reference: '1' }],
])('%s', (path, route) => {
  expect(matchRoute(path)).toEqual(route);
});

test.each([
  '',
  '/',
  '/v1/_ping',
  '/v20/',
  '/v2x',
  '//v2/',
  '/V2/',
  '/v2/acme',
  '/v2/acme/hello',
  '/v2/manifests/1',
  '/v2/blobs/uploads/',
  '/v2/acme/hello/tags',
  '/v2/acme/hello/tags/all',
  '/v2/acme/hello/layers/x',
  '/v2/acme/hello/Manifests/1',
  '/v2/acme/hello/manifests/%',
  '/v2/acme/hello/manifests/%zz',
  '/v2/acme/hello/manifests/%C0%AF',
  '/v2/_catalog/x',
])('%j is no path of the protocol', (path) => {
  expect(matchRoute(path)).toBeUndefined();
});
