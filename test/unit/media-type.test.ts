import { expect, test } from 'vitest';
import {
  isIndexMediaType,
  isManifestMediaType,
  isNonDistributable,
  MEDIA_TYPE,
  SCHEMA1,
} from '../../src/oci/media-type.ts';

test.each([
  ['application/vnd.oci.image.manifest.v1+json', false],
  ['application/vnd.oci.image.index.v1+json', true],
  ['application/vnd.oci.artifact.manifest.v1+json', false],
  ['application/vnd.docker.distribution.manifest.v2+json', false],
  ['application/vnd.docker.distribution.manifest.list.v2+json', true],
])('%s is kept; an index: %s', (text, isIndex) => {
  expect(isManifestMediaType(text) && isIndexMediaType(text)).toBe(isIndex);
  expect(isManifestMediaType(text)).toBe(true);
});

test('there are five types of manifest', () => {
  expect(Object.keys(MEDIA_TYPE)).toHaveLength(5);
});

test.each([
  'application/vnd.docker.distribution.manifest.v1+json',
  'application/vnd.docker.distribution.manifest.v1+prettyjws',
])('%s is schema 1, and not kept', (text) => {
  expect(text).toMatch(SCHEMA1);
  expect(isManifestMediaType(text)).toBe(false);
});

test.each([
  '',
  'application/json',
  'application/vnd.oci.image.config.v1+json',
  'APPLICATION/VND.OCI.IMAGE.INDEX.V1+JSON',
  'application/vnd.oci.image.index.v1+json; charset=utf-8',
  'constructor',
])('%j is no manifest, nor schema 1', (text) => {
  expect(isManifestMediaType(text)).toBe(false);
  expect(text).not.toMatch(SCHEMA1);
});

test.each([
  ['application/vnd.oci.image.layer.nondistributable.v1.tar', true],
  ['application/vnd.oci.image.layer.nondistributable.v1.tar+gzip', true],
  ['application/vnd.oci.image.layer.nondistributable.v1.tar+zstd', true],
  ['application/vnd.docker.image.rootfs.foreign.diff.tar.gzip', true],
  ['application/vnd.docker.image.rootfs.foreign.diff.tar', true],
  ['application/vnd.oci.image.layer.v1.tar+gzip', false],
  ['application/vnd.docker.image.rootfs.diff.tar.gzip', false],
  ['application/vnd.oci.image.config.v1+json', false],
])('a layer of type %s may stay away: %s', (mediaType, expected) => {
  expect(isNonDistributable(mediaType)).toBe(expected);
});
